"""Every option of the module, and the sets of variables in which each two of them meet."""

import itertools
import pathlib
import re

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
LOAD_BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/50dc6c495c0c9188"
LISTENER = LOAD_BALANCER.replace(":loadbalancer/", ":listener/") + "/f2f7dc8efc522ab2"
NEW = {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"], "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
HEADER = {"certificate_header": "x-gate-7f3a"}
SOURCES = {"crl_sources": ["http://crl.example.com/root.crl", "s3://pki/issuing.crl?region=us-east-1"], "refresh_crls_package": "main.tf"}

# The choices of one kind exclude each other.
OPTIONS = {
    "place": [
        NEW | HEADER,
        NEW,
        NEW | HEADER | {"scheme": "internal", "allowed_cidrs": ["10.0.0.0/8"], "web_acl_arn": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/b"},
        NEW | HEADER | {"ip_address_type": "dualstack", "allowed_ipv6_cidrs": ["2001:db8::/32"], "allowed_prefix_list_ids": ["pl-1"], "http_redirect": True},
        {"vpc_id": "vpc-1", "certificate_arn": NEW["certificate_arn"], "load_balancer_arn": LOAD_BALANCER, "listener_port": 8443} | HEADER,
        {"vpc_id": "vpc-1", "listener_arn": LISTENER, "listener_rule_paths": ["/a/*"], "listener_rule_hosts": ["a.example.com"], "listener_rule_priority": 7} | HEADER,
        {"vpc_id": "vpc-1", "api_gateway": "http", "api_upstream": "https://orders.example.com"},
        {"vpc_id": "vpc-1", "api_gateway": "rest"},
    ],
    "program": [
        {},
        {"forward_upstream": "http://10.0.0.7:8080", "forward_identity": "verify-mode,rfc9440"},
        {"forward_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:orders:live"},
        {"forward_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:orders", "forward_function_event": "single-value"},
        {"layered": {"layer": "main.tf", "runtime": "python3.13", "handler": "app.handler"}},
    ],
    "anchors": [
        {"anchors": {"root": PEM}},
        {"anchors": {"root": PEM}, "anchors_parameter_path": "/pki/anchors"},
        {"anchors_parameter_path": "/pki/anchors"},
        {"anchors_objects": ["s3://pki/roots.pem?owner=123456789012#sha256=" + "0" * 64]},
        {"anchors": {"root": PEM}, "anchors_objects": ["s3://pki/roots.pem"]},
    ],
    "intermediates": [
        {},
        {"intermediates": {"issuing": PEM}},
        {"intermediates_parameter_path": "/pki/intermediates"},
        {"intermediates_objects": ["s3://pki/issuing.pem"]},
    ],
    "revocation": [
        {},
        {"crls": ["s3://pki/crls/root.crl"], "ocsp": ["http://ocsp.example.com/", "aia-clients"], "revocation": "soft"},
        SOURCES,
        SOURCES | {"crl_schedule": "rate(1 hour)", "crl_topic_arn": "arn:aws:sns:us-east-1:123456789012:crls", "crl_reserved_concurrency": 1, "crl_alarm_seconds": 60},
        SOURCES | {"crls": ["s3://gate-trust-123456789012-us-east-1/crls/crl.example.com/root.crl"]},
    ],
    "deny list": [{}, {"deny_list": "s3://pki/deny.txt?owner=123456789012"}],
    "mode": [{}, {"mode": "optional"}],
    "policies": [
        {},
        {"policies_parameter_path": "/policies", "shadow_policies_parameter_path": "/shadow", "shadow_anchors_parameter_path": "/next"},
    ],
    "key": [{}, {"kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1"}],
    "subnets": [{}, {"function_subnet_ids": ["subnet-3"]}],
    "rest": [
        {},
        {
            "architecture": "x86_64",
            "environment": {"MTLS_CRL_GRACE": "1h"},
            "extensions": ["device_id=1.3.6.1.4.1.99999.1"],
            "signatures": ["ecdsa-p256-sha256"],
            "reserved_concurrency": 5,
            "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/boundary",
            "tls_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "load_balancer_logs": False,
            "deletion_protection": True,
            "log_retention_days": 1,
            "alarm_topic_arns": ["arn:aws:sns:us-east-1:123456789012:alarms"],
            "denied_percent": 50,
            "anchor_alarm_days": 5,
            "tags": {"a": "b"},
        },
    ],
}
# Of every set.
COMMON = {"name": "gate", "package": "main.tf"}


def is_allowed(choice):
    """The module's own refusals."""
    place = OPTIONS["place"][choice["place"]] if "place" in choice else {}
    program = OPTIONS["program"][choice.get("program", 0)]
    return not ("api_gateway" in place and program)


def sets():
    """Sets in which each two choices of different kinds meet that may."""
    kinds = list(OPTIONS)
    pairs = set()
    for one, other in itertools.combinations(kinds, 2):
        for left, right in itertools.product(range(len(OPTIONS[one])), range(len(OPTIONS[other]))):
            if is_allowed({one: left, other: right}):
                pairs.add(((one, left), (other, right)))
    found = []
    while pairs:
        # The first pair that is left, and then of each kind the choice that meets most of the others.
        choice = dict(min(pairs))
        for kind in kinds:
            if kind not in choice:
                candidates = [index for index in range(len(OPTIONS[kind])) if is_allowed(choice | {kind: index})]
                choice[kind] = max(candidates, key=lambda index: len(met(choice | {kind: index}, kinds) & pairs))
        pairs -= met(choice, kinds)
        found.append(choice)
    return [COMMON | {name: value for kind in kinds for name, value in OPTIONS[kind][choice[kind]].items()} for choice in found]


def met(choice, kinds):
    return {((one, choice[one]), (other, choice[other])) for one, other in itertools.combinations(kinds, 2) if one in choice and other in choice}


def without_option(variables):
    """Names of variables that no set gives a value."""
    declared = re.findall(r'^variable "(\w+)"', pathlib.Path(variables).read_text(), re.MULTILINE)
    given = {name for one in sets() for name in one}
    return [name for name in declared if name not in given]


if __name__ == "__main__":
    import json

    print(json.dumps(sets()))
