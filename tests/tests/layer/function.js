// A function that speaks the Runtime API with Node's own modules alone, and answers with the event as it arrived.
// It counts its calls.

"use strict";
const http = require("node:http");

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const invocation = "/2018-06-01/runtime/invocation/";

function send(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

function pathOf(event) {
  try {
    return JSON.parse(event).path;
  } catch {
    return undefined;
  }
}

async function main() {
  for (let calls = 1; ; calls++) {
    const { headers, body: event } = await send("GET", invocation + "next");
    const path = pathOf(event);
    const id = headers["lambda-runtime-aws-request-id"];
    if (path === "/exit") process.exit(3);
    if (path === "/kill") process.kill(process.pid, "SIGKILL");
    if (path === "/silence") await new Promise((resolve) => setInterval(resolve, 2 ** 31 - 1));
    if (path === "/error") {
      const error = { errorType: "ValueError", errorMessage: "the function failed", stackTrace: [] };
      await send("POST", `${invocation}${id}/error`, JSON.stringify(error));
      continue;
    }
    const answer = { statusCode: 200, calls, event: event.toString("base64"), invocation: headers };
    if (path === "/large") answer.body = "xé\n".repeat(300_000);
    await send("POST", `${invocation}${id}/response`, JSON.stringify(answer));
  }
}

main();
