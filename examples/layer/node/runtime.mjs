// What Lambda's own runtime for Node.js does, as far as it takes on one's own machine: asks the Runtime API for events and
// hands them to the handler. Lambda needs no such file.

import http from "node:http";

import { handler } from "./app.mjs";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function send(method, path, body) {
  return new Promise((resolve, reject) => {
    const target = { host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, agent };
    const request = http.request(target, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve([response.headers, Buffer.concat(chunks).toString()]));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const [headers, event] = await send("GET", "next");
  const awsRequestId = headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handler(JSON.parse(event), { awsRequestId });
    await send("POST", `${awsRequestId}/response`, JSON.stringify(answer));
  } catch (error) {
    const report = { errorType: error.name, errorMessage: error.message, stackTrace: error.stack.split("\n") };
    await send("POST", `${awsRequestId}/error`, JSON.stringify(report));
  }
}
