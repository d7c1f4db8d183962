# What the module refuses before anything is made: `terraform test`, without credentials.

mock_provider "aws" {}
mock_provider "random" {}

variables {
  package         = "main.tf"
  vpc_id          = "vpc-1"
  subnet_ids      = ["subnet-1", "subnet-2"]
  certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
  anchors         = { root = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }
}

run "values_out_of_range" {
  command = plan

  variables {
    name                           = "Gate_"
    architecture                   = "riscv64"
    reserved_concurrency           = 0
    crl_reserved_concurrency       = 0
    kms_key_arn                    = "alias/gate"
    permissions_boundary_arn       = "boundary"
    listener_port                  = 0
    listener_rule_priority         = 0
    listener_rule_paths            = []
    scheme                         = "public"
    ip_address_type                = "ipv6"
    allowed_cidrs                  = ["2001:db8::/32"]
    allowed_prefix_list_ids        = ["list"]
    tls_policy                     = "TLS13"
    certificate_header             = "X-Amzn-Mtls-Clientcert"
    mode                           = "off"
    crls                           = ["https://example.com/root.crl"]
    ocsp                           = ["https://ocsp.example.com/"]
    revocation                     = "off"
    crl_schedule                   = "daily"
    policies_parameter_path        = "policies"
    shadow_policies_parameter_path = "/policies/"
    shadow_anchors_parameter_path  = "*"
    forward_identity               = "assertion"
    log_retention_days             = 2
    alarm_topic_arns               = ["topic"]
    denied_percent                 = 0
    anchor_alarm_days              = 0
    crl_alarm_seconds              = -1
    anchors_objects                = ["s3://pki/root.pem#sha256=00"]
    signatures                     = ["ecdsa-p384-sha384", "ed25519"]
  }

  expect_failures = [var.name, var.architecture, var.reserved_concurrency, var.crl_reserved_concurrency, var.kms_key_arn, var.permissions_boundary_arn, var.listener_port, var.listener_rule_priority, var.listener_rule_paths, var.scheme, var.ip_address_type, var.allowed_cidrs, var.allowed_prefix_list_ids, var.tls_policy, var.certificate_header, var.mode, var.crls, var.ocsp, var.revocation, var.crl_schedule, var.policies_parameter_path, var.shadow_policies_parameter_path, var.shadow_anchors_parameter_path, var.forward_identity, var.log_retention_days, var.alarm_topic_arns, var.denied_percent, var.anchor_alarm_days, var.crl_alarm_seconds, var.anchors_objects, var.signatures]
}

run "more_values_out_of_range" {
  command = plan

  variables {
    name                = "gate-"
    certificate_header  = "x gate"
    crls                = ["s3://bucket"]
    listener_rule_paths = ["orders"]
    allowed_cidrs       = ["192.0.2.1"]
    listener_port       = 443.5
    anchors_objects     = ["s3://pki/root.pem?versionId=1"]
    deny_list           = "s3://pki/*"
  }

  expect_failures = [var.anchors_objects, var.deny_list, var.name, var.certificate_header, var.crls, var.listener_rule_paths, var.allowed_cidrs, var.listener_port]
}

run "values_that_depend_on_others" {
  command = plan

  variables {
    intermediates_objects = ["s3://pki/*"]
    api_upstream          = "https://orders.example.org/"
    crl_sources           = ["s3://pki/root.crl?version=1"]
    refresh_crls_package  = "main.tf"
  }

  expect_failures = [var.intermediates_objects, var.api_upstream, var.crl_sources]
}

run "arns_of_other_kinds" {
  command = plan

  variables {
    certificate_arn = "gate.example.org"
    web_acl_arn     = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/1"
  }

  expect_failures = [var.certificate_arn, var.web_acl_arn]
}

run "no_load_balancer" {
  command = plan

  variables {
    subnet_ids = []
  }

  expect_failures = [var.subnet_ids]
}

run "one_subnet" {
  command = plan

  variables {
    subnet_ids = ["subnet-1"]
  }

  expect_failures = [var.subnet_ids]
}

run "load_balancer_without_vpc" {
  command = plan

  variables {
    vpc_id = null
  }

  expect_failures = [var.subnet_ids]
}

run "functions_in_subnets_without_vpc" {
  command = plan

  variables {
    subnet_ids          = []
    vpc_id              = null
    load_balancer_arn   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/50dc6c495c0c9188"
    function_subnet_ids = ["subnet-3"]
  }

  expect_failures = [var.function_subnet_ids]
}

run "two_load_balancers" {
  command = plan

  variables {
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/50dc6c495c0c9188"
  }

  expect_failures = [var.subnet_ids]
}

run "load_balancer_and_listener" {
  command = plan

  variables {
    subnet_ids         = []
    load_balancer_arn  = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/50dc6c495c0c9188"
    listener_arn       = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2"
    certificate_header = "x-gate"
  }

  expect_failures = [var.subnet_ids, data.aws_lb_listener.existing]
}

run "network_load_balancer" {
  command = plan

  variables {
    subnet_ids        = []
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/a/50dc6c495c0c9188"
  }

  expect_failures = [var.load_balancer_arn]
}

run "listener_of_unknown_header" {
  command = plan

  variables {
    subnet_ids   = []
    listener_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2"
  }

  expect_failures = [var.listener_arn]
}

run "listener_rule_in_place_of_listener" {
  command = plan

  variables {
    subnet_ids         = []
    listener_arn       = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2"
    certificate_header = "x-gate"
  }

  expect_failures = [var.listener_arn]
}

run "new_listener_without_certificate" {
  command = plan

  variables {
    certificate_arn = null
  }

  expect_failures = [var.certificate_arn]
}

run "web_acl_without_load_balancer" {
  command = plan

  variables {
    subnet_ids        = []
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/50dc6c495c0c9188"
    web_acl_arn       = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/1"
  }

  expect_failures = [var.web_acl_arn]
}

run "ipv6_clients_without_dualstack" {
  command = plan

  variables {
    allowed_ipv6_cidrs = ["2001:db8::/32"]
  }

  expect_failures = [var.allowed_ipv6_cidrs]
}

run "ipv4_as_ipv6_clients" {
  command = plan

  variables {
    ip_address_type    = "dualstack"
    allowed_ipv6_cidrs = ["192.0.2.0/24"]
  }

  expect_failures = [var.allowed_ipv6_cidrs]
}

run "no_anchors" {
  command = plan

  variables {
    anchors = {}
  }

  expect_failures = [var.anchors]
}

run "key_as_anchor" {
  command = plan

  variables {
    anchors = { root = "-----BEGIN PRIVATE KEY-----" }
  }

  expect_failures = [var.anchors]
}

run "key_beside_anchor" {
  command = plan

  variables {
    anchors = { root = "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----" }
  }

  expect_failures = [var.anchors]
}

run "anchor_below_another_path" {
  command = plan

  variables {
    anchors = { "other/root" = "-----BEGIN CERTIFICATE-----" }
  }

  expect_failures = [var.anchors]
}

run "anchor_larger_than_a_parameter" {
  command = plan

  variables {
    anchors = { root = format("-----BEGIN CERTIFICATE-----%8200d", 1) }
  }

  expect_failures = [var.anchors]
}

run "path_that_ends_with_a_slash" {
  command = plan

  variables {
    anchors_parameter_path = "/pki/anchors/"
  }

  expect_failures = [var.anchors_parameter_path]
}

run "text_as_intermediate" {
  command = plan

  variables {
    intermediates = { issuing = "issuing.pem" }
  }

  expect_failures = [var.intermediates]
}

run "intermediates_that_would_be_anchors" {
  command = plan

  variables {
    anchors_parameter_path       = "/pki/cas"
    intermediates_parameter_path = "/pki/cas"
  }

  expect_failures = [var.intermediates_parameter_path]
}

run "anchors_that_take_in_intermediates" {
  command = plan

  variables {
    anchors_parameter_path = "/alb-mtls/intermediates"
    intermediates          = { issuing = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }
  }

  expect_failures = [var.intermediates_parameter_path]
}

run "extension_without_an_identifier" {
  command = plan

  variables {
    extensions = ["device_id"]
  }

  expect_failures = [var.extensions]
}

run "sources_without_package" {
  command = plan

  variables {
    crl_sources = ["http://crl.example.com/root.crl"]
  }

  expect_failures = [var.crl_sources]
}

run "source_with_a_query" {
  command = plan

  variables {
    refresh_crls_package = "main.tf"
    crl_sources          = ["http://ca.example.com/certdist?cmd=crl"]
  }

  expect_failures = [var.crl_sources]
}

run "source_with_capitals" {
  command = plan

  variables {
    refresh_crls_package = "main.tf"
    crl_sources          = ["http://CRL.example.com/root.crl"]
  }

  expect_failures = [var.crl_sources]
}

run "source_with_dots" {
  command = plan

  variables {
    refresh_crls_package = "main.tf"
    crl_sources          = ["http://crl.example.com/../root.crl"]
  }

  expect_failures = [var.crl_sources]
}

run "source_with_escaped_dots" {
  command = plan

  variables {
    refresh_crls_package = "main.tf"
    crl_sources          = ["http://crl.example.com/%2E%2E/root.crl"]
  }

  expect_failures = [var.crl_sources]
}

run "source_in_ldap" {
  command = plan

  variables {
    refresh_crls_package = "main.tf"
    crl_sources          = ["ldap://ca.example.com/root.crl"]
  }

  expect_failures = [var.crl_sources]
}

run "topic_without_sources" {
  command = plan

  variables {
    crl_topic_arn = "arn:aws:sns:us-east-1:123456789012:revoked"
  }

  expect_failures = [var.crl_topic_arn]
}

run "two_upstreams" {
  command = plan

  variables {
    forward_upstream     = "http://10.0.0.7:8080"
    forward_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:orders"
  }

  expect_failures = [var.forward_function_arn]
}

run "upstream_without_scheme" {
  command = plan

  variables {
    forward_upstream = "10.0.0.7:8080"
  }

  expect_failures = [var.forward_upstream]
}

run "event_without_function" {
  command = plan

  variables {
    forward_function_event = "single-value"
  }

  expect_failures = [var.forward_function_event]
}

run "layer_on_a_provided_runtime" {
  command = plan

  variables {
    layered = { layer = "main.tf", runtime = "provided.al2023", handler = "bootstrap" }
  }

  expect_failures = [var.layered]
}

run "layer_and_upstream" {
  command = plan

  variables {
    layered          = { layer = "main.tf", runtime = "python3.13", handler = "app.handler" }
    forward_upstream = "http://10.0.0.7:8080"
  }

  expect_failures = [var.layered]
}

run "setting_of_the_module" {
  command = plan

  variables {
    environment = { MTLS_MODE = "report" }
  }

  expect_failures = [var.environment]
}

# Behind a listener that does not prove that clients have their keys, the gate would believe what they write.
run "listener_without_passthrough" {
  command = plan

  override_data {
    target = data.aws_lb_listener.existing[0]
    values = { mutual_authentication = [{ mode = "verify" }] }
  }

  variables {
    subnet_ids         = []
    listener_arn       = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2"
    certificate_header = "x-gate"
  }

  expect_failures = [data.aws_lb_listener.existing]
}

run "listener_without_mutual_tls" {
  command = plan

  override_data {
    target = data.aws_lb_listener.existing[0]
    values = { mutual_authentication = [] }
  }

  variables {
    subnet_ids         = []
    listener_arn       = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2"
    certificate_header = "x-gate"
  }

  expect_failures = [data.aws_lb_listener.existing]
}

run "object_that_would_be_an_anchor" {
  command = plan

  variables {
    anchors_objects       = ["s3://pki/ca.pem"]
    intermediates_objects = ["s3://pki/ca.pem"]
  }

  expect_failures = [var.intermediates_objects]
}

run "api_behind_a_load_balancer" {
  command = plan

  variables {
    api_gateway = "rest"
  }

  expect_failures = [var.subnet_ids]
}

run "api_of_a_function_with_the_layer" {
  command = plan

  variables {
    subnet_ids  = []
    api_gateway = "rest"
    layered     = { layer = "main.tf", runtime = "python3.13", handler = "app.handler" }
  }

  expect_failures = [var.api_gateway]
}

run "http_api_without_upstream" {
  command = plan

  variables {
    subnet_ids  = []
    api_gateway = "http"
  }

  expect_failures = [var.api_upstream]
}
