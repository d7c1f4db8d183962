"""What the provider makes: in moto what functions read, and names and ARNs of the rest."""

import json
import os
import pathlib
import urllib.request

ACCOUNT = "123456789012"


class Cloud:
    def __init__(self):
        self.region = os.environ.get("AWS_REGION", "us-east-1")
        self.clients = {}

    def client(self, service):
        import boto3

        if service not in self.clients:
            self.clients[service] = boto3.client(service, region_name=self.region)
        return self.clients[service]

    def arn(self, service, rest, region=True):
        return f"arn:aws:{service}:{self.region if region else ''}:{ACCOUNT}:{rest}"

    def read(self, kind, config):
        if kind == "aws_caller_identity":
            return {"id": ACCOUNT, "account_id": ACCOUNT, "arn": self.arn("iam", "user/test", region=False), "user_id": "test"}
        if kind == "aws_partition":
            return {"id": "aws", "partition": "aws", "dns_suffix": "amazonaws.com", "reverse_dns_prefix": "com.amazonaws"}
        if kind == "aws_region":
            return {"id": self.region, "name": self.region, "description": self.region, "endpoint": f"ec2.{self.region}.amazonaws.com"}
        if kind == "aws_lb_listener":
            mode = os.environ.get("LISTENER_MODE", "passthrough")
            nothing = {"advertise_trust_store_ca_names": "", "ignore_client_certificate_expiry": False, "trust_store_arn": ""}
            return {"id": config["arn"], "mutual_authentication": [nothing | {"mode": mode}]}
        raise KeyError(kind)

    def make(self, kind, state):
        """Makes a resource, and returns what is known of it then."""
        name = state.get("name")
        maker = getattr(self, f"make_{kind.removeprefix('aws_')}", None)
        made = maker(state) if maker else {}
        if isinstance(name, str):
            made.setdefault("id", name)
        return {"id": kind, "region": self.region, "tags_all": state.get("tags") or {}} | made

    # --- in moto

    def make_ssm_parameter(self, state):
        key = {"KeyId": state["key_id"]} if isinstance(state["key_id"], str) else {}
        self.client("ssm").put_parameter(Name=state["name"], Value=state["value"], Type=state["type"], Tier=state["tier"], **key)
        return {"arn": self.arn("ssm", f"parameter{state['name']}"), "version": 1}

    def make_s3_bucket(self, state):
        where = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        self.client("s3").create_bucket(Bucket=state["bucket"], **where)
        return {"id": state["bucket"], "arn": f"arn:aws:s3:::{state['bucket']}", "bucket_domain_name": f"{state['bucket']}.s3.amazonaws.com"}

    def make_s3_bucket_versioning(self, state):
        status = state["versioning_configuration"][0]["status"]
        self.client("s3").put_bucket_versioning(Bucket=state["bucket"], VersioningConfiguration={"Status": status})
        return {"id": state["bucket"]}

    def make_s3_bucket_policy(self, state):
        # Not put: it denies what does not come over TLS, as every request to this account.
        json.loads(state["policy"])
        return {"id": state["bucket"]}

    def make_iam_role(self, state):
        role = self.client("iam").create_role(RoleName=state["name"], AssumeRolePolicyDocument=state["assume_role_policy"])["Role"]
        return {"arn": role["Arn"], "unique_id": role["RoleId"]}

    def make_iam_role_policy(self, state):
        self.client("iam").put_role_policy(RoleName=state["role"], PolicyName=state["name"], PolicyDocument=state["policy"])
        return {"id": f"{state['role']}:{state['name']}"}

    def make_lambda_function(self, state):
        """Has the simulated account run the built function, with its variables and the permissions of its role."""
        name = state["function_name"]
        variables = state["environment"][0]["variables"] if state["environment"] else {}
        program = pathlib.Path(state["filename"]).parent.name
        function = {
            "name": name,
            "command": [os.path.join(os.environ["PROGRAMS"], program)],
            "environment": variables | self.credentials(state["role"]),
        }
        self.post("/simulator/function", function)
        arn = self.arn("lambda", f"function:{name}")
        return {"id": name, "arn": arn, "invoke_arn": f"arn:aws:apigateway:{self.region}:lambda:path/2015-03-31/functions/{arn}/invocations"}

    def make_lambda_invocation(self, state):
        answer = self.client("lambda").invoke(FunctionName=state["function_name"], Payload=state["input"])
        result = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise RuntimeError(f"{state['function_name']}: {result}")
        return {"id": state["function_name"], "result": result}

    def credentials(self, role):
        """What Lambda puts into a function's environment for its role."""
        session = self.client("sts").assume_role(RoleArn=role, RoleSessionName="function")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        } | json.loads(os.environ.get("MORE_VARIABLES", "{}"))

    def post(self, path, body):
        request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path, json.dumps(body).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    # --- names alone

    def make_lb(self, state):
        suffix = f"app/{state['name']}/50dc6c495c0c9188"
        arn = self.arn("elasticloadbalancing", f"loadbalancer/{suffix}")
        return {"id": arn, "arn": arn, "arn_suffix": suffix, "dns_name": f"{state['name']}-1234567890.{self.region}.elb.amazonaws.com", "zone_id": "Z32O12XQLNTSW2"}

    def make_lb_listener(self, state):
        arn = state["load_balancer_arn"].replace(":loadbalancer/", ":listener/") + "/f2f7dc8efc522ab2"
        return {"id": arn, "arn": arn}

    def make_lb_target_group(self, state):
        suffix = f"targetgroup/{state['name']}/73e2d6bc24d8a067"
        arn = self.arn("elasticloadbalancing", suffix)
        return {"id": arn, "arn": arn, "arn_suffix": suffix}

    def make_lambda_layer_version(self, state):
        arn = self.arn("lambda", f"layer:{state['layer_name']}")
        return {"id": f"{arn}:1", "arn": f"{arn}:1", "layer_arn": arn, "version": "1"}

    def make_cloudwatch_log_group(self, state):
        return {"arn": self.arn("logs", f"log-group:{state['name']}")}

    def make_cloudwatch_event_rule(self, state):
        return {"arn": self.arn("events", f"rule/{state['name']}")}

    def make_apigatewayv2_api(self, state):
        return {"id": "a1b2c3d4e5", "execution_arn": self.arn("execute-api", "a1b2c3d4e5")}

    def make_api_gateway_rest_api(self, state):
        return self.make_apigatewayv2_api(state) | {"root_resource_id": "f6g7h8i9j0"}

    def make_security_group(self, state):
        return {"id": "sg-0123456789abcdef0", "arn": self.arn("ec2", "security-group/sg-0123456789abcdef0")}
