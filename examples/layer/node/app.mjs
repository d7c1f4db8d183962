// A function as it is behind many a load balancer. It knows the client from the headers of a load balancer in verify
// mode, and nothing of the gate before it.

const HEADER = "x-amzn-mtls-clientcert-subject";

export async function handler(event, context) {
  // Single-value target groups send `headers`, multi-value ones `multiValueHeaders`.
  const subject = event.multiValueHeaders?.[HEADER]?.[0] ?? event.headers?.[HEADER] ?? null;
  const answer = { hello: subject, path: event.path, request: context.awsRequestId };
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    multiValueHeaders: { "content-type": ["application/json"] },
    body: JSON.stringify(answer) + "\n",
    isBase64Encoded: false,
  };
}
