"""Reads authorizers' answers as `sam local start-api` does: cases as a JSON list in, a list of outcomes out."""

import json
import sys

from samcli.local.apigw.authorizers.lambda_authorizer import LambdaAuthorizer
from samcli.local.apigw.exceptions import InvalidLambdaAuthorizerResponse


def read(case):
    authorizer = LambdaAuthorizer(
        authorizer_name="authorize",
        type=LambdaAuthorizer.REQUEST,
        lambda_name="authorize",
        identity_sources=[],
        payload_version=case["payload"],
        use_simple_response=case["simple"],
    )
    answer = json.dumps(case["answer"])
    try:
        return {
            "authorized": authorizer.is_valid_response(answer, case["arn"]),
            "context": authorizer.get_context(answer),
        }
    except InvalidLambdaAuthorizerResponse as error:
        return {"error": str(error)}


json.dump([read(case) for case in json.load(sys.stdin)], sys.stdout)
