#!/usr/bin/env python3
"""Stands in for the AWS command line: answers about one stack, as its documentation shows them.

In the environment: REFUSED is a command that is not allowed, EMPTY one that says nothing, ABSENT one that says that there is no
such thing; BEFORE and AFTER change every answer. With NESTED, the load balancer is of a nested stack; with ELSEWHERE, the stack has no more of
it than this kind of resource.
"""

import json
import os
import sys

PREFIX = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
BALANCER = f"{PREFIX}:loadbalancer/app/gate/50dc6c495c0c9188"
LISTENERS = [f"{PREFIX}:listener/app/gate/50dc6c495c0c9188/{end}" for end in ("f2f7dc8efc522ab2", "a1a7dc8efc522ab2")]
GROUP = f"{PREFIX}:targetgroup/gate-respond/73e2d6bc24d8a067"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:gate-respond"

arguments = sys.argv[1:]
command = " ".join(arguments[:2])
options = dict(zip(arguments[2::2], arguments[3::2]))

if command == os.environ.get("REFUSED"):
    print(f"\nAn error occurred (AccessDenied) when calling the operation: not authorized to perform {command}", file=sys.stderr)
    sys.exit(254)
if command == os.environ.get("EMPTY"):
    sys.exit()
forward = [{"Type": "forward", "TargetGroupArn": GROUP}]
kinds = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": BALANCER,
    "AWS::Lambda::Function": "gate-respond",
    "AWS::S3::Bucket": "gate-trust",
    "AWS::CloudFormation::WaitCondition": None,
}
if "NESTED" in os.environ and options.get("--stack-name") == "gate":
    kinds["AWS::CloudFormation::Stack"] = "gate-Entry"
    del kinds["AWS::ElasticLoadBalancingV2::LoadBalancer"]
elif options.get("--stack-name") == "gate-Entry":
    kinds = {"AWS::ElasticLoadBalancingV2::LoadBalancer": BALANCER}
if "ELSEWHERE" in os.environ:
    kind = os.environ["ELSEWHERE"]
    rule = LISTENERS[0].replace(":listener/", ":listener-rule/") + "/9683b2d02a6cabee"
    kinds[kind] = rule if kind.endswith("Rule") else LISTENERS[0]
    del kinds["AWS::ElasticLoadBalancingV2::LoadBalancer"]
answers = {
    "cloudformation list-stack-resources": {"StackResourceSummaries": [
        {"ResourceType": kind, "LogicalResourceId": "A"} | ({"PhysicalResourceId": name} if name else {}) for kind, name in kinds.items()
    ]},
    "elbv2 describe-load-balancers": {"LoadBalancers": [{"LoadBalancerArn": BALANCER}]},
    "elbv2 describe-target-health": {"TargetHealthDescriptions": [{"Target": {"Id": f"{FUNCTION}{os.environ.get('ALIAS', '')}"}}]},
    "elbv2 describe-listeners": {"Listeners": [
        {"ListenerArn": LISTENERS[0], "Port": 443, "Protocol": "HTTPS", "MutualAuthentication": {"Mode": "passthrough"}, "DefaultActions": forward},
        {"ListenerArn": LISTENERS[1], "Port": 80, "Protocol": "HTTP", "DefaultActions": [{"Type": "redirect"}]},
    ]},
    "elbv2 describe-rules": {"Rules": [
        {"RuleArn": options.get("--listener-arn", "").replace(":listener/", ":listener-rule/") + "/9683b2d02a6cabee", "Priority": "default",
         "Actions": forward if options.get("--listener-arn") == LISTENERS[0] else [{"Type": "redirect"}]},
    ]},
    "elbv2 describe-listener-attributes": {"Attributes": [
        {"Key": "routing.http.response.server.enabled", "Value": "true"},
        {"Key": "routing.http.request.x_amzn_mtls_clientcert.header_name", "Value": "x-gate-7f3a"},
    ]},
    "elbv2 describe-target-groups": {"TargetGroups": [{"TargetGroupArn": GROUP, "TargetGroupName": "gate-respond", "TargetType": "lambda"}]},
    "elbv2 describe-target-group-attributes": {"Attributes": [{"Key": "lambda.multi_value_headers.enabled", "Value": "true"}]},
    "lambda get-function-configuration": {
        "FunctionName": "gate-respond", "FunctionArn": FUNCTION,
        "Environment": {"Variables": {"MTLS_ANCHORS": "s3://gate-trust/anchors.pem", "MTLS_HEADER": "x-gate-7f3a", "MTLS_TARGET_GROUPS": GROUP}},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "gate-respond-logs"},
    },
    "lambda get-policy": {"Policy": json.dumps({"Statement": [{
        "Sid": "alb", "Effect": "Allow", "Principal": {"Service": "elasticloadbalancing.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": FUNCTION,
        "Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}, "ArnLike": {"AWS:SourceArn": GROUP}},
    }]}), "RevisionId": "1"},
    "logs describe-log-groups": {"logGroups": [{"logGroupName": "gate-respond-logs", "retentionInDays": 90}]},
    "s3api get-public-access-block": {"PublicAccessBlockConfiguration": dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)},
    "s3api get-bucket-versioning": {"Status": "Enabled"},
}
ABSENT = {
    "lambda get-function-url-config": "ResourceNotFoundException",
    "s3api get-bucket-policy": "NoSuchBucketPolicy",
    "s3api get-public-access-block": "NoSuchPublicAccessBlockConfiguration",
}
for name in ("--stack-name", "--names"):
    if options.get(name, "gate") not in ("gate", *(["gate-Entry"] if "NESTED" in os.environ else [])):
        print("An error occurred (ValidationError) when calling the operation: it does not exist", file=sys.stderr)
        sys.exit(254)
if command not in answers or command == os.environ.get("ABSENT"):
    print(f"An error occurred ({ABSENT[command]}) when calling the operation: there is none", file=sys.stderr)
    sys.exit(254)
text = json.dumps(answers[command], indent=4)
if "BEFORE" in os.environ:
    text = text.replace(os.environ["BEFORE"], os.environ["AFTER"])
print(text)
