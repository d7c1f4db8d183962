// A function for AWS's own runtime client, which knows nothing of the layer. It counts its calls.

"use strict";

let calls = 0;

exports.handler = async (event, context) => {
  calls += 1;
  if (event.path === "/error") {
    const error = new Error("the function failed");
    error.name = "ValueError";
    throw error;
  }
  return {
    statusCode: 200,
    calls,
    seen: event,
    request: context.awsRequestId,
    body: JSON.stringify(context.getRemainingTimeInMillis() > 0),
  };
};
