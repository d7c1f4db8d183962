# The gate behind a load balancer in mTLS passthrough mode: what template.yaml makes for respond, forward or a function of
# your own with the layer, as a module.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  anchors_path = "/${var.name}/anchors"
  arn_prefix   = "arn:${data.aws_partition.current.partition}"
  crl_buckets  = distinct([for crl in var.crls : split("/", crl)[2]])

  certificate_header = coalesce(var.certificate_header, "x-${random_uuid.certificate_header.result}")

  environment = merge(
    var.environment,
    {
      MTLS_ANCHORS       = "ssm:${local.anchors_path}/*"
      MTLS_HEADER        = local.certificate_header
      MTLS_METRICS       = "AlbMtls"
      MTLS_MODE          = var.mode
      MTLS_SERVICE       = var.name
      MTLS_TARGET_GROUPS = aws_lb_target_group.gate.arn
    },
    var.layered == null ? {} : { AWS_LAMBDA_EXEC_WRAPPER = "/opt/alb-mtls" },
    length(var.crls) == 0 ? {} : {
      MTLS_CRLS       = join(" ", var.crls)
      MTLS_REVOCATION = var.revocation
    },
  )
}

# The name of the certificate header, kept in the state: without a name that only you know, a client without a certificate could
# copy a public chain into the header. It stays as long as this resource does; `terraform apply -replace` makes a new one.
resource "random_uuid" "certificate_header" {}

# A role that can write these decides which clients are allowed.
resource "aws_ssm_parameter" "anchor" {
  for_each = var.anchors

  name  = "${local.anchors_path}/${each.key}"
  type  = "String"
  tier  = length(each.value) > 4096 ? "Advanced" : "Standard"
  value = each.value
}

# --- the function

resource "aws_cloudwatch_log_group" "gate" {
  name              = "/alb-mtls/${var.name}"
  retention_in_days = var.log_retention_days
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "gate" {
  statement {
    sid       = "ReadTrustAnchors"
    actions   = ["ssm:GetParametersByPath"]
    resources = ["${local.arn_prefix}:ssm:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:parameter${local.anchors_path}"]
  }

  statement {
    sid       = "WriteRecords"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.gate.arn}:*"]
  }

  dynamic "statement" {
    for_each = length(var.crls) == 0 ? [] : [true]
    content {
      # Each CRL, and the record that refresh-crls keeps beside it.
      sid       = "ReadCrls"
      actions   = ["s3:GetObject"]
      resources = flatten([for crl in var.crls : [for end in ["", ".state.json"] : "${local.arn_prefix}:s3:::${trimprefix(crl, "s3://")}${end}"]])
    }
  }

  dynamic "statement" {
    for_each = length(var.crls) == 0 ? [] : [true]
    content {
      sid       = "TellMissingCrlsFromForbiddenOnes"
      actions   = ["s3:ListBucket"]
      resources = [for bucket in local.crl_buckets : "${local.arn_prefix}:s3:::${bucket}"]
    }
  }
}

resource "aws_iam_role" "gate" {
  name_prefix        = "${var.name}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "gate" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.gate.id
  policy      = data.aws_iam_policy_document.gate.json
}

resource "aws_lambda_layer_version" "gate" {
  count = var.layered == null ? 0 : 1

  layer_name               = var.name
  description              = "Client-certificate authentication before a function behind a load balancer"
  filename                 = var.layered.layer
  source_code_hash         = filebase64sha256(var.layered.layer)
  compatible_architectures = [var.architecture]
}

resource "aws_lambda_function" "gate" {
  function_name    = var.name
  description      = "Verifies client certificates behind a load balancer in mTLS passthrough mode"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  architectures    = [var.architecture]
  runtime          = var.layered == null ? "provided.al2023" : var.layered.runtime
  handler          = var.layered == null ? "bootstrap" : var.layered.handler
  layers           = aws_lambda_layer_version.gate[*].arn
  memory_size      = 256
  timeout          = 29
  role             = aws_iam_role.gate.arn

  environment {
    variables = local.environment
  }

  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.gate.name
    application_log_level = "INFO"
    system_log_level      = "WARN"
  }

  depends_on = [aws_iam_role_policy.gate]
}

resource "aws_lambda_permission" "load_balancer" {
  statement_id   = "load-balancer"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.gate.function_name
  principal      = "elasticloadbalancing.amazonaws.com"
  source_arn     = aws_lb_target_group.gate.arn
  source_account = data.aws_caller_identity.current.account_id
}

# --- the load balancer

resource "aws_lb_target_group" "gate" {
  name        = "${var.name}-gate"
  target_type = "lambda"
  # With single values a second certificate header could not be seen.
  lambda_multi_value_headers_enabled = true
}

resource "aws_lb_target_group_attachment" "gate" {
  target_group_arn = aws_lb_target_group.gate.arn
  target_id        = aws_lambda_function.gate.arn
  depends_on       = [aws_lambda_permission.load_balancer]
}

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.name}-"
  description = "HTTPS to the alb-mtls load balancer"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = toset(var.allowed_cidrs)

  security_group_id = aws_security_group.load_balancer.id
  description       = "HTTPS from clients"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  for_each = var.http_redirect ? toset(var.allowed_cidrs) : toset([])

  security_group_id = aws_security_group.load_balancer.id
  description       = "HTTP from clients, to be redirected"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_lb" "gate" {
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.load_balancer.id]
  drop_invalid_header_fields = true
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.gate.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = var.tls_policy
  certificate_arn   = var.certificate_arn

  routing_http_request_x_amzn_mtls_clientcert_header_name = local.certificate_header

  mutual_authentication {
    mode = "passthrough"
  }

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gate.arn
  }
}

# Without mutual TLS no listener may reach a target group: this one only redirects.
resource "aws_lb_listener" "http" {
  count = var.http_redirect ? 1 : 0

  load_balancer_arn = aws_lb.gate.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

# --- alarms

locals {
  of_service  = { service = var.name }
  of_function = { FunctionName = aws_lambda_function.gate.function_name }
  of_balancer = { LoadBalancer = aws_lb.gate.arn_suffix }

  # Above the threshold with Sum, below it with Minimum.
  alarms = merge(
    {
      refresh   = { namespace = "AlbMtls", metric = "TrustRefreshFailures", dimensions = local.of_service, statistic = "Sum", threshold = 0 }
      anchors   = { namespace = "AlbMtls", metric = "AnchorDaysLeft", dimensions = local.of_service, statistic = "Minimum", threshold = 30 }
      errors    = { namespace = "AWS/Lambda", metric = "Errors", dimensions = local.of_function, statistic = "Sum", threshold = 0 }
      throttles = { namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.of_function, statistic = "Sum", threshold = 0 }
      target    = { namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = local.of_balancer, statistic = "Sum", threshold = 0 }
      balancer  = { namespace = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = local.of_balancer, statistic = "Sum", threshold = 0 }
    },
    length(var.crls) == 0 ? {} : {
      crls = { namespace = "AlbMtls", metric = "CrlSecondsLeft", dimensions = local.of_service, statistic = "Minimum", threshold = 300 }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "gate" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = each.value.statistic == "Sum" ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# A share needs two metrics.
resource "aws_cloudwatch_metric_alarm" "denied" {
  alarm_name          = "${var.name}-denied"
  alarm_description   = "More requests than usual are refused"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.denied_percent
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  metric_query {
    id          = "share"
    label       = "refused requests in percent"
    expression  = "IF(FILL(allowed, 0) + FILL(denied, 0) >= 20, 100 * FILL(denied, 0) / (FILL(allowed, 0) + FILL(denied, 0)), 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { allowed = "Allowed", denied = "Denied" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AlbMtls"
        metric_name = metric_query.value
        dimensions  = local.of_service
        period      = 300
        stat        = "Sum"
      }
    }
  }
}
