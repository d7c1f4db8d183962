# The function behind the load balancer or the API, its role and its records.

resource "aws_cloudwatch_log_group" "gate" {
  name              = "/alb-mtls/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

locals {
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })

  # Network interfaces have no names before they are made.
  vpc_statements = length(var.function_subnet_ids) == 0 ? [] : [{
    Sid    = "WorkInTheVpc"
    Effect = "Allow"
    Action = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ]
    Resource = ["*"]
  }]

  # For encrypted parameters and objects, and for the functions' own variables.
  key_statements = var.kms_key_arn == null ? [] : [{
    Sid      = "DecryptTrustMaterial"
    Effect   = "Allow"
    Action   = ["kms:Decrypt"]
    Resource = [var.kms_key_arn]
  }]

  parameter_arn = "${local.arn_prefix}:ssm:${local.region}:${local.account}:parameter"

  # For the gate and for refresh-crls.
  authority_statements = concat(
    length(local.authority_paths) == 0 ? [] : [{
      Sid      = "ReadTrustMaterial"
      Effect   = "Allow"
      Action   = ["ssm:GetParametersByPath"]
      Resource = [for path in local.authority_paths : "${local.parameter_arn}${path}"]
    }],
    length(local.authority_objects) == 0 ? [] : [{
      Sid      = "ReadTrustObjects"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [for object in local.authority_objects : "${local.arn_prefix}:s3:::${object}"]
    }],
  )

  gate_statements = concat(
    local.authority_statements,
    length(local.policy_paths) == 0 ? [] : [{
      Sid      = "ReadPolicies"
      Effect   = "Allow"
      Action   = ["ssm:GetParametersByPath"]
      Resource = [for path in local.policy_paths : "${local.parameter_arn}${path}"]
    }],
    [
      {
        Sid      = "WriteRecords"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.arn_prefix}:logs:${local.region}:${local.account}:log-group:/alb-mtls/${var.name}:*"]
      },
    ],
    length(local.crls) == 0 ? [] : [
      {
        # Each CRL, and the record that refresh-crls keeps beside it.
        Sid      = "ReadCrls"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = flatten([for object in local.crl_objects : [for end in ["", ".state.json"] : "${local.arn_prefix}:s3:::${object}${end}"]])
      },
      {
        Sid      = "TellMissingCrlsFromForbiddenOnes"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [for bucket in local.crl_buckets : "${local.arn_prefix}:s3:::${bucket}"]
      },
    ],
    var.deny_list == null ? [] : [{
      Sid      = "ReadDenyList"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${local.arn_prefix}:s3:::${split("?", trimprefix(var.deny_list, "s3://"))[0]}"]
    }],
    var.forward_function_arn == null ? [] : [
      {
        Sid      = "InvokeTheUpstream"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [var.forward_function_arn]
      },
    ],
    local.key_statements,
    local.vpc_statements,
  )
}

resource "aws_iam_role" "gate" {
  name                 = "${var.name}-gate-${local.region}"
  assume_role_policy   = local.assume_role_policy
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "gate" {
  name   = "gate"
  role   = aws_iam_role.gate.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.gate_statements })
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
  # API Gateway waits 10 seconds for an authorizer.
  timeout                        = local.has_load_balancer ? 29 : 10
  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  role                           = aws_iam_role.gate.arn
  tags                           = var.tags

  environment {
    variables = local.environment
  }

  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.gate.name
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

  # With strict revocation a gate without its CRLs denies every client: they are published first.
  depends_on = [aws_iam_role_policy.gate, aws_ssm_parameter.anchor, aws_ssm_parameter.intermediate, aws_lambda_invocation.refresh_crls]
}

resource "aws_lambda_permission" "load_balancer" {
  count = local.has_load_balancer ? 1 : 0

  statement_id   = "load-balancer"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.gate.function_name
  principal      = "elasticloadbalancing.amazonaws.com"
  source_arn     = aws_lb_target_group.gate[0].arn
  source_account = local.account
}

# Nothing connects to a function through the VPC. The upstream's own group decides whether this one may connect.
resource "aws_security_group" "function" {
  count = length(var.function_subnet_ids) == 0 ? 0 : 1

  name_prefix = "${var.name}-function-"
  description = "From the functions of alb-mtls to their upstream and to AWS"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "function" {
  count = length(var.function_subnet_ids) == 0 ? 0 : 1

  security_group_id = aws_security_group.function[0].id
  description       = "The upstream, Parameter Store and S3"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 1
  to_port           = 65535
}
