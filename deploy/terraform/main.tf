# The gate behind a load balancer in mTLS passthrough mode, or before an API: what template.yaml makes for respond, for forward, for
# the authorizer or for a function of your own with the layer, as a module. Trust material is in trust.tf, the function in function.tf.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  region     = data.aws_region.current.id
  arn_prefix = "arn:${data.aws_partition.current.partition}"

  has_load_balancer   = var.api_gateway == null
  makes_load_balancer = length(var.subnet_ids) > 0
  makes_listener      = local.has_load_balancer && var.listener_arn == null
  forwards            = var.forward_upstream != null || var.forward_function_arn != null

  certificate_header = coalesce(var.certificate_header, "x-${random_uuid.certificate_header.result}")

  # What a function with the gate is told, whichever function that is.
  gate_environment = merge(
    {
      MTLS_ANCHORS = local.anchors
      MTLS_METRICS = "AlbMtls"
      MTLS_MODE    = var.mode
      MTLS_SERVICE = var.name
    },
    local.has_load_balancer ? {
      MTLS_HEADER = local.certificate_header
      # The name is fixed; the last part of the ARN is the only one that AWS chooses. So a plan knows it.
      MTLS_TARGET_GROUPS = "${local.arn_prefix}:elasticloadbalancing:${local.region}:${local.account}:targetgroup/${var.name}-gate/*"
      } : {
      AUTHORIZE_CERTIFICATE = "client-cert"
      AUTHORIZE_RESPONSE    = var.api_gateway == "http" ? "simple" : "iam"
    },
    local.has_intermediates ? { MTLS_INTERMEDIATES = local.intermediates } : {},
    length(local.crls) == 0 ? {} : { MTLS_CRLS = join(" ", local.crls) },
    length(var.ocsp) == 0 ? {} : { MTLS_OCSP = join(" ", var.ocsp) },
    length(local.crls) + length(var.ocsp) == 0 ? {} : { MTLS_REVOCATION = var.revocation },
    length(var.signatures) == 0 ? {} : { MTLS_SIGNATURES = join(" ", var.signatures) },
    length(var.extensions) == 0 ? {} : { MTLS_EXTENSIONS = join(" ", var.extensions) },
    var.deny_list == null ? {} : { MTLS_DENY = var.deny_list },
    var.policies_parameter_path == null ? {} : { MTLS_POLICY = "ssm:${var.policies_parameter_path}/*" },
    var.shadow_policies_parameter_path == null ? {} : { MTLS_SHADOW_POLICY = "ssm:${var.shadow_policies_parameter_path}/*" },
    var.shadow_anchors_parameter_path == null ? {} : { MTLS_SHADOW_ANCHORS = "ssm:${var.shadow_anchors_parameter_path}/*" },
  )

  forward_environment = local.forwards ? merge(
    {
      FORWARD_UPSTREAM = var.forward_function_arn == null ? var.forward_upstream : "lambda:${var.forward_function_arn}"
      FORWARD_IDENTITY = var.forward_identity
    },
    var.forward_function_arn == null ? {} : { FORWARD_LAMBDA_EVENT = var.forward_function_event },
  ) : {}

  environment = merge(
    var.environment,
    local.gate_environment,
    local.forward_environment,
    var.layered == null ? {} : { AWS_LAMBDA_EXEC_WRAPPER = "/opt/alb-mtls" },
  )
}

# The name of the certificate header, kept in the state: without a name that only you know, a client without a certificate could
# copy a public chain into the header. The name stays as long as this resource does; `terraform apply -replace` makes a new one.
resource "random_uuid" "certificate_header" {}
