# refresh-crls: fetches CRLs on a schedule, and at once when the CA says that it revoked something.

resource "aws_cloudwatch_log_group" "refresh_crls" {
  count = local.refreshes_crls ? 1 : 0

  name              = "/alb-mtls/${var.name}-refresh-crls"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "refresh_crls" {
  count = local.refreshes_crls ? 1 : 0

  name                 = "${var.name}-crls-${local.region}"
  assume_role_policy   = local.assume_role_policy
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "refresh_crls" {
  count = local.refreshes_crls ? 1 : 0

  name = "refresh-crls"
  role = aws_iam_role.refresh_crls[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.authority_statements,
      [
        {
          Sid      = "WriteRecords"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${local.arn_prefix}:logs:${local.region}:${local.account}:log-group:/alb-mtls/${var.name}-refresh-crls:*"]
        },
        {
          Sid      = "PublishCrls"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = ["${local.arn_prefix}:s3:::${local.trust_bucket}/crls/*"]
        },
        {
          # Without it the first CRL would never be published: that there is none yet would look forbidden.
          Sid       = "TellMissingCrlsFromForbiddenOnes"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = ["${local.arn_prefix}:s3:::${local.trust_bucket}"]
          Condition = { StringLikeIfExists = { "s3:prefix" = "crls/*" } }
        },
      ],
      length(local.source_objects) == 0 ? [] : [
        {
          Sid      = "FetchCrls"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = [for object in local.source_objects : "${local.arn_prefix}:s3:::${object}"]
        },
        {
          Sid      = "TellMissingSourcesFromForbiddenOnes"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [for bucket in local.source_buckets : "${local.arn_prefix}:s3:::${bucket}"]
        },
      ],
      var.kms_key_arn == null ? [] : [
        {
          Sid      = "UseTheKeyOfTrustMaterial"
          Effect   = "Allow"
          Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource = [var.kms_key_arn]
        },
      ],
      local.vpc_statements,
    )
  })
}

resource "aws_lambda_function" "refresh_crls" {
  count = local.refreshes_crls ? 1 : 0

  function_name    = "${var.name}-refresh-crls"
  description      = "Fetches CRLs, verifies them and publishes them for the gate"
  filename         = var.refresh_crls_package
  source_code_hash = filebase64sha256(var.refresh_crls_package)
  architectures    = [var.architecture]
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  memory_size      = 512
  timeout          = 120
  # With 1, two runs cannot overtake each other's writes; an account with a limit of 10 cannot reserve any.
  reserved_concurrent_executions = var.crl_reserved_concurrency == null ? -1 : var.crl_reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  role                           = aws_iam_role.refresh_crls[0].arn
  tags                           = var.tags

  environment {
    variables = merge(
      {
        CRL_ANCHORS     = local.anchors
        CRL_DESTINATION = "s3://${local.trust_bucket}/crls/"
        CRL_SOURCES     = join(" ", var.crl_sources)
      },
      local.has_intermediates ? { CRL_INTERMEDIATES = local.intermediates } : {},
      length(var.signatures) == 0 ? {} : { CRL_SIGNATURES = join(" ", var.signatures) },
    )
  }

  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.refresh_crls[0].name
    application_log_level = "INFO"
    system_log_level      = "WARN"
  }

  dynamic "vpc_config" {
    for_each = length(var.function_subnet_ids) == 0 ? [] : [true]
    content {
      subnet_ids         = var.function_subnet_ids
      security_group_ids = aws_security_group.function[*].id
    }
  }

  depends_on = [aws_iam_role_policy.refresh_crls]
}

# The first run, and one after each change of what it fetches: the gate would deny every client until the schedule's next one.
resource "aws_lambda_invocation" "refresh_crls" {
  count = local.refreshes_crls ? 1 : 0

  function_name = aws_lambda_function.refresh_crls[0].function_name
  input         = jsonencode({})
  triggers = {
    sources     = join(" ", var.crl_sources)
    authorities = sha256(jsonencode([var.anchors, var.intermediates, local.anchors, local.intermediates]))
  }

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.result).refused == 0, false)
      error_message = "refresh-crls refused a CRL, so that the gate would deny clients: its records in the log group /alb-mtls/${var.name}-refresh-crls say why. The usual reason is an issuing CA that is not in `intermediates`."
    }
  }

  depends_on = [
    aws_ssm_parameter.anchor,
    aws_ssm_parameter.intermediate,
    aws_s3_bucket_ownership_controls.trust,
    aws_s3_bucket_policy.trust,
    aws_s3_bucket_public_access_block.trust,
    aws_s3_bucket_server_side_encryption_configuration.trust,
    aws_s3_bucket_versioning.trust,
  ]
}

resource "aws_cloudwatch_event_rule" "refresh_crls" {
  count = local.refreshes_crls ? 1 : 0

  name                = "${var.name}-refresh-crls"
  description         = "Fetches CRLs"
  schedule_expression = var.crl_schedule
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "refresh_crls" {
  count = local.refreshes_crls ? 1 : 0

  rule = aws_cloudwatch_event_rule.refresh_crls[0].name
  arn  = aws_lambda_function.refresh_crls[0].arn
}

resource "aws_lambda_permission" "schedule" {
  count = local.refreshes_crls ? 1 : 0

  statement_id  = "schedule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.refresh_crls[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.refresh_crls[0].arn
}

# No source_account: the topic can be another account's.
resource "aws_lambda_permission" "topic" {
  count = var.crl_topic_arn == null ? 0 : 1

  statement_id  = "topic"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.refresh_crls[0].function_name
  principal     = "sns.amazonaws.com"
  source_arn    = var.crl_topic_arn
}

resource "aws_sns_topic_subscription" "refresh_crls" {
  count = var.crl_topic_arn == null ? 0 : 1

  topic_arn  = var.crl_topic_arn
  protocol   = "lambda"
  endpoint   = aws_lambda_function.refresh_crls[0].arn
  depends_on = [aws_lambda_permission.topic]
}
