# What variables become in the environment of the functions: `terraform test`, without credentials.

mock_provider "aws" {
  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "123456789012" }
  }
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws" }
  }
  override_data {
    target = data.aws_region.current
    values = { id = "us-east-1" }
  }
}
mock_provider "random" {}

variables {
  name               = "gate"
  package            = "main.tf"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2"]
  certificate_arn    = "arn:aws:acm:us-east-1:123456789012:certificate/1"
  certificate_header = "x-gate-7f3a"
  anchors            = { root = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }
}

run "defaults" {
  command = plan

  assert {
    condition = aws_lambda_function.gate.environment[0].variables == tomap({
      MTLS_ANCHORS       = "ssm:/gate/anchors/*"
      MTLS_HEADER        = "x-gate-7f3a"
      MTLS_METRICS       = "AlbMtls"
      MTLS_MODE          = "enforce"
      MTLS_SERVICE       = "gate"
      MTLS_TARGET_GROUPS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gate-gate/*"
    })
    error_message = "The environment is another one."
  }

  assert {
    condition     = length(aws_lambda_function.refresh_crls) == 0 && length(aws_s3_bucket.trust) == 0 && length(aws_s3_bucket.logs) == 1
    error_message = "Something is made that was not asked for, or the logs are missing."
  }

  assert {
    condition     = one(aws_lb_listener.https).ssl_policy == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    error_message = "The TLS policy is another one."
  }
}

run "everything" {
  command = plan

  variables {
    intermediates                  = { issuing = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }
    crl_sources                    = ["http://crl.example.com:8080/root.crl", "s3://pki/issuing.crl?region=eu-west-1&owner=123456789012"]
    crl_topic_arn                  = "arn:aws:sns:us-east-1:123456789012:revoked"
    refresh_crls_package           = "main.tf"
    revocation                     = "soft"
    deny_list                      = "s3://pki/deny.txt?region=eu-west-1"
    mode                           = "optional"
    signatures                     = ["ecdsa-p384-sha384", "ml-dsa-87"]
    extensions                     = ["device_id=1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.57264.1.8"]
    anchors_parameter_path         = "/pki/anchors"
    policies_parameter_path        = "/pki/policies"
    shadow_policies_parameter_path = "/pki/shadow-policies"
    shadow_anchors_parameter_path  = "/pki/shadow-anchors"
    forward_function_arn           = "arn:aws:lambda:us-east-1:123456789012:function:orders:live"
    forward_function_event         = "single-value"
    forward_identity               = "xfcc,rfc9440"
    function_subnet_ids            = ["subnet-3"]
    environment                    = { MTLS_CRL_GRACE = "6h" }
    ocsp                           = ["http://ocsp.example.com/", "aia-cas"]
    ip_address_type                = "dualstack"
    allowed_cidrs                  = ["192.0.2.0/24", "198.51.100.0/24"]
    allowed_ipv6_cidrs             = ["2001:db8::/32"]
    allowed_prefix_list_ids        = ["pl-1"]
    http_redirect                  = true
    load_balancer_logs             = false
  }

  assert {
    condition = aws_lambda_function.gate.environment[0].variables == tomap({
      FORWARD_IDENTITY     = "xfcc,rfc9440"
      FORWARD_LAMBDA_EVENT = "single-value"
      FORWARD_UPSTREAM     = "lambda:arn:aws:lambda:us-east-1:123456789012:function:orders:live"
      MTLS_ANCHORS         = "ssm:/pki/anchors/*"
      MTLS_CRLS            = "s3://gate-trust-123456789012-us-east-1/crls/crl.example.com_8080/root.crl s3://gate-trust-123456789012-us-east-1/crls/pki/issuing.crl"
      MTLS_CRL_GRACE       = "6h"
      MTLS_DENY            = "s3://pki/deny.txt?region=eu-west-1"
      MTLS_EXTENSIONS      = "device_id=1.3.6.1.4.1.99999.1 1.3.6.1.4.1.57264.1.8"
      MTLS_HEADER          = "x-gate-7f3a"
      MTLS_INTERMEDIATES   = "ssm:/gate/intermediates/*"
      MTLS_METRICS         = "AlbMtls"
      MTLS_MODE            = "optional"
      MTLS_OCSP            = "http://ocsp.example.com/ aia-cas"
      MTLS_POLICY          = "ssm:/pki/policies/*"
      MTLS_REVOCATION      = "soft"
      MTLS_SERVICE         = "gate"
      MTLS_SHADOW_ANCHORS  = "ssm:/pki/shadow-anchors/*"
      MTLS_SHADOW_POLICY   = "ssm:/pki/shadow-policies/*"
      MTLS_SIGNATURES      = "ecdsa-p384-sha384 ml-dsa-87"
      MTLS_TARGET_GROUPS   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gate-gate/*"
    })
    error_message = "The environment is another one."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.gate.policy).Statement : [statement.Action, statement.Resource] if statement.Sid == "ReadDenyList"
    ] == [[["s3:GetObject"], ["arn:aws:s3:::pki/deny.txt"]]]
    error_message = "The gate may read something else than its deny list."
  }

  assert {
    condition = one(aws_lambda_function.refresh_crls).environment[0].variables == tomap({
      CRL_ANCHORS       = "ssm:/pki/anchors/*"
      CRL_DESTINATION   = "s3://gate-trust-123456789012-us-east-1/crls/"
      CRL_INTERMEDIATES = "ssm:/gate/intermediates/*"
      CRL_SIGNATURES    = "ecdsa-p384-sha384 ml-dsa-87"
      CRL_SOURCES       = "http://crl.example.com:8080/root.crl s3://pki/issuing.crl?region=eu-west-1&owner=123456789012"
    })
    error_message = "The environment of refresh-crls is another one."
  }

  assert {
    condition = [
      for statement in jsondecode(one(aws_iam_role_policy.refresh_crls).policy).Statement : statement.Resource if statement.Sid == "FetchCrls"
    ] == [["arn:aws:s3:::pki/issuing.crl"]]
    error_message = "refresh-crls may read something else than its source."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients) == 8 && length(aws_s3_bucket.logs) == 0
    error_message = "Clients of four kinds come to two ports, and there are no logs."
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.gate.policy).Statement : statement if contains(statement.Action, "lambda:InvokeFunction")]) == 1
    error_message = "The function cannot invoke its upstream."
  }
}

run "rule_of_a_listener_that_exists" {
  command = plan

  override_data {
    target = data.aws_lb_listener.existing[0]
    values = {
      arn                   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2"
      mutual_authentication = [{ mode = "passthrough" }]
    }
  }

  variables {
    subnet_ids          = []
    listener_arn        = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2"
    listener_rule_hosts = ["gate.example.org"]
  }

  assert {
    condition     = length(aws_lb.gate) == 0 && length(aws_lb_listener.https) == 0 && one(aws_lb_listener_rule.gate).priority == 100
    error_message = "More than a rule is made, or none."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.gate["balancer"].dimensions == tomap({ LoadBalancer = "app/a/50dc6c495c0c9188" })
    error_message = "The alarm watches another load balancer."
  }
}

run "authorities_in_objects" {
  command = plan

  variables {
    anchors               = {}
    anchors_objects       = ["s3://pki/roots.pem?region=eu-west-1&owner=123456789012#sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
    intermediates_objects = ["s3://pki/ca/issuing.pem"]
  }

  assert {
    condition = (
      aws_lambda_function.gate.environment[0].variables["MTLS_ANCHORS"] == one(var.anchors_objects)
      && aws_lambda_function.gate.environment[0].variables["MTLS_INTERMEDIATES"] == "s3://pki/ca/issuing.pem"
    )
    error_message = "The gate has other sources, such as a path of Parameter Store that does not exist."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.gate.policy).Statement : statement.Resource if contains(statement.Action, "s3:GetObject")
    ] == [["arn:aws:s3:::pki/roots.pem", "arn:aws:s3:::pki/ca/issuing.pem"]]
    error_message = "The gate may read other objects."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.gate.policy, "ssm:")
    error_message = "The gate may read parameters that it does not need."
  }
}

run "anchors_in_parameters_and_objects" {
  command = plan

  variables {
    anchors_objects = ["s3://pki/roots.pem"]
  }

  assert {
    condition     = aws_lambda_function.gate.environment[0].variables["MTLS_ANCHORS"] == "ssm:/gate/anchors/* s3://pki/roots.pem"
    error_message = "One of the sources is missing."
  }
}

run "rest_api" {
  command = plan

  variables {
    subnet_ids         = []
    vpc_id             = null
    certificate_arn    = null
    certificate_header = null
    api_gateway        = "rest"
  }

  assert {
    condition = aws_lambda_function.gate.environment[0].variables == tomap({
      AUTHORIZE_CERTIFICATE = "client-cert"
      AUTHORIZE_RESPONSE    = "iam"
      MTLS_ANCHORS          = "ssm:/gate/anchors/*"
      MTLS_METRICS          = "AlbMtls"
      MTLS_MODE             = "enforce"
      MTLS_SERVICE          = "gate"
    })
    error_message = "The environment is another one."
  }

  assert {
    condition = (
      one(aws_api_gateway_rest_api.gate).disable_execute_api_endpoint
      && one(aws_api_gateway_authorizer.gate).authorizer_result_ttl_in_seconds == 0
      && one(aws_api_gateway_method.root).authorization == "CUSTOM"
    )
    error_message = "There is a way around the authorizer."
  }

  assert {
    condition     = length(aws_lb_target_group.gate) + length(aws_lb.gate) + length(aws_lb_listener.https) + length(aws_lambda_permission.load_balancer) == 0
    error_message = "Something of a load balancer is made."
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.gate), "errors") && contains(keys(aws_cloudwatch_metric_alarm.gate), "throttles")
    error_message = "The alarm would tell of every client without a certificate."
  }
}
