"""Evaluates the policies of a role for requests to SSM, S3 and Lambda, as IAM does: what no statement allows is denied.

moto asks for every action on the resource `*`, which the policies of a template that names its resources never allow.
"""

import json
import re
import urllib.parse

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

ACCOUNT, REGION = "123456789012", "us-east-1"


class Denied(Exception):
    """A request that IAM does not allow."""

    status = "403 Forbidden"

    def __init__(self, service, message):
        super().__init__(message)
        self.service = service

    def answer(self):
        if self.service == "s3":
            return "application/xml", f"<Error><Code>AccessDenied</Code><Message>{self}</Message></Error>"
        return "application/x-amz-json-1.1", json.dumps({"__type": "AccessDeniedException", "Message": str(self)})


def check(environ, body):
    """Raises Denied if the caller is a role whose policies do not allow the request."""
    scope = re.search(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        return
    key, service = scope.groups()
    account = ACCOUNT
    role = sts_backends[account]["aws"].get_assumed_role_from_access_key(key)
    if role is None:
        return
    for action, resource, context in requests(environ, body, service):
        if not is_allowed(role.role_arn, action, resource, context):
            raise Denied(service, f"{role.role_arn} is not authorized to perform {action} on {resource}")


def requests(environ, body, service):
    """Returns action, resource and condition values of everything that a request needs."""
    account = ACCOUNT
    path = urllib.parse.unquote(environ.get("PATH_INFO", ""))
    query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    method = environ["REQUEST_METHOD"]
    if service == "ssm":
        action = environ["HTTP_X_AMZ_TARGET"].split(".")[1]
        name = next(value for name, value in json.loads(body).items() if name in ("Path", "Name"))
        name = name.split(":")[0].rstrip("/")
        return [(f"ssm:{action}", f"arn:aws:ssm:{REGION}:{account}:parameter/{name.lstrip('/')}", {})]
    if service == "lambda":
        name = path.removeprefix("/2015-03-31/functions/").removesuffix("/invocations")
        arn = name if name.startswith("arn:") else f"arn:aws:lambda:{REGION}:{account}:function:{name}"
        return [("lambda:InvokeFunction", arn, {})]
    if service == "s3":
        bucket, _, key = path.lstrip("/").partition("/")
        if not key:
            prefix = {"s3:prefix": query["prefix"][0]} if "prefix" in query else {}
            return [("s3:ListBucket", f"arn:aws:s3:::{bucket}", prefix)]
        action = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}.get(method, method)
        if "versionId" in query:
            action += "Version"
        needed = [(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}", {})]
        # A role that cannot list a bucket is not told that an object is missing.
        if action == "GetObject" and is_missing(bucket, key):
            needed.append(("s3:ListBucket", f"arn:aws:s3:::{bucket}", {}))
        return needed
    return [(f"{service}:*", "*", {})]


def is_missing(bucket, key):
    backend = s3_backends[ACCOUNT]["aws"]
    if bucket not in backend.buckets:
        return False
    return backend.get_object(bucket, key) is None


def is_allowed(role_arn, action, resource, context):
    backend = iam_backends[ACCOUNT]["aws"]
    role = backend.get_role_by_arn(role_arn)
    documents = [content_of(policy) for policy in role.managed_policies.values()]
    documents += [json.loads(policy) for policy in role.policies.values()]
    effects = effects_of(documents, action, resource, context)
    if role.permissions_boundary_arn:
        # A boundary that does not exist allows nothing.
        boundary = backend.managed_policies.get(role.permissions_boundary_arn)
        effects &= effects_of([content_of(boundary)] if boundary else [], action, resource, context)
    return effects == {"Allow"}


def content_of(policy):
    return json.loads(next(version.document for version in policy.versions if version.is_default))


def effects_of(documents, action, resource, context):
    found = set()
    for document in documents:
        for statement in listed(document["Statement"]):
            actions = listed(statement["Action"])
            resources = listed(statement["Resource"])
            if (
                any(matches(pattern.lower(), action.lower()) for pattern in actions)
                and any(matches(pattern, resource) for pattern in resources)
                and all(holds(*condition, context) for condition in statement.get("Condition", {}).items())
            ):
                found.add(statement["Effect"])
    return found


def holds(operator, wanted, context):
    if operator != "StringLikeIfExists":
        raise NotImplementedError(f"the condition operator {operator}")
    return all(
        key not in context or any(matches(pattern, context[key]) for pattern in listed(patterns)) for key, patterns in wanted.items()
    )


def matches(pattern, text):
    """Returns whether text is of an IAM pattern, in which only `*` and `?` are special."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def listed(value):
    return value if isinstance(value, list) else [value]
