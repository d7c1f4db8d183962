# A service on ECS with the gate as a sidecar, behind a load balancer in mTLS passthrough mode: see docs/containers.md. deploy/ecs/service.yaml is
# the same for CloudFormation.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.0"
    }
  }
}

variable "name" {
  description = "Name of everything"
  type        = string
  default     = "orders"
}

variable "vpc_id" {
  description = "VPC of everything"
  type        = string
}

variable "subnet_ids" {
  description = "At least two public subnets, of the load balancer"
  type        = list(string)
}

variable "subnet_cidrs" {
  description = "IPv4 networks of these subnets. The gate denies requests from elsewhere"
  type        = list(string)

  validation {
    condition     = length(var.subnet_cidrs) > 0 && alltrue([for cidr in var.subnet_cidrs : can(cidrnetmask(cidr))])
    error_message = "Networks such as 10.0.0.0/24, at least one."
  }
}

variable "service_subnet_ids" {
  description = "Private subnets of the tasks, from which ECR, CloudWatch Logs and Parameter Store can be reached"
  type        = list(string)
}

variable "certificate_arn" {
  description = "ARN of the server's certificate in AWS Certificate Manager"
  type        = string
}

variable "anchors" {
  description = "File with the certificates of the clients' CAs"
  type        = string
  default     = "root.pem"
}

variable "intermediates" {
  description = "File with the CA certificates between clients and anchors, for clients that send their own alone. Empty: there are none"
  type        = string
  default     = "issuing.pem"
}

variable "crl_bucket" {
  description = "Bucket into which the CAs publish their CRLs. Empty: revoked clients pass, unless `ocsp` names responders"
  type        = string
  default     = ""
}

variable "crls" {
  description = "Keys of the objects in this bucket, a CRL of each CA"
  type        = list(string)
  default     = ["root.crl", "issuing.crl"]
}

variable "ocsp" {
  description = "OCSP responders, as MTLS_OCSP. Tasks may then connect to port 80"
  type        = string
  default     = ""
}

variable "revocation" {
  description = "With CRLs or OCSP, strict denies also what neither clears, soft revoked clients only"
  type        = string
  default     = "strict"

  validation {
    condition     = contains(["strict", "soft"], var.revocation)
    error_message = "revocation is strict or soft."
  }
}

variable "gate_image" {
  description = "Image of alb-mtls-server with its digest"
  type        = string

  validation {
    condition     = strcontains(var.gate_image, "@sha256:")
    error_message = "An image by its digest, such as ACCOUNT.dkr.ecr.REGION.amazonaws.com/alb-mtls-server@sha256:..."
  }
}

variable "service_image" {
  description = "Image of the service, which listens on 127.0.0.1:3000"
  type        = string
}

data "aws_region" "current" {}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

# A name that only this configuration knows: with the default one, a client without a certificate could copy a public chain into the header.
resource "random_uuid" "header" {}

locals {
  header = "x-${random_uuid.header.result}"

  intermediates = var.intermediates == "" ? {} : { issuing = file(var.intermediates) }
  crl_bucket    = var.crl_bucket == "" ? [] : ["arn:${data.aws_partition.current.partition}:s3:::${var.crl_bucket}"]

  # What is null is not in the environment.
  trust_material = {
    MTLS_ANCHORS       = "ssm:${aws_ssm_parameter.anchors.name}"
    MTLS_INTERMEDIATES = var.intermediates == "" ? null : "ssm:${aws_ssm_parameter.intermediates["issuing"].name}"
    MTLS_CRLS          = var.crl_bucket == "" ? null : join(" ", [for key in var.crls : "s3://${var.crl_bucket}/${key}"])
    MTLS_OCSP          = var.ocsp == "" ? null : var.ocsp
    MTLS_REVOCATION    = var.crl_bucket == "" && var.ocsp == "" ? null : var.revocation
  }

  parameters = "arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:parameter"

  parameter_arns = [
    for name in concat([aws_ssm_parameter.anchors.name], [for one in aws_ssm_parameter.intermediates : one.name]) : "${local.parameters}${name}"
  ]
}

resource "aws_security_group" "load_balancer" {
  name        = "${var.name}-load-balancer"
  description = "HTTPS to the load balancer"
  vpc_id      = var.vpc_id
}

# The gate's ports for the load balancer and for nothing else. The service's own port is in no rule.
resource "aws_security_group" "tasks" {
  name        = "${var.name}-tasks"
  description = "The gate, from the load balancer alone"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id = aws_security_group.load_balancer.id
  description       = "HTTPS from clients"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "to_gate" {
  for_each = { requests = 8080, health = 9901 }

  security_group_id            = aws_security_group.load_balancer.id
  description                  = "To the gate: ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.tasks.id
}

resource "aws_vpc_security_group_ingress_rule" "gate" {
  for_each = { requests = 8080, health = 9901 }

  security_group_id            = aws_security_group.tasks.id
  description                  = "From the load balancer: ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.load_balancer.id
}

resource "aws_vpc_security_group_egress_rule" "tasks" {
  security_group_id = aws_security_group.tasks.id
  description       = "ECR, CloudWatch Logs, Parameter Store, and what the service calls"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "responders" {
  count = var.ocsp == "" ? 0 : 1

  security_group_id = aws_security_group.tasks.id
  description       = "OCSP responders"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.load_balancer.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = true
}

# The only listener: one without mutual TLS must not have this target group.
resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
  certificate_arn   = var.certificate_arn

  routing_http_request_x_amzn_mtls_clientcert_header_name = local.header

  mutual_authentication {
    mode = "passthrough"
  }

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gate.arn
  }
}

resource "aws_lb_target_group" "gate" {
  name                 = var.name
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 8080
  deregistration_delay = 20

  health_check {
    port                = "9901"
    path                = "/readyz"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_ssm_parameter" "anchors" {
  name  = "/${var.name}/anchors"
  type  = "String"
  tier  = "Intelligent-Tiering"
  value = file(var.anchors)
}

resource "aws_ssm_parameter" "intermediates" {
  for_each = local.intermediates

  name  = "/${var.name}/intermediates"
  type  = "String"
  tier  = "Intelligent-Tiering"
  value = each.value
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = 365
}

locals {
  assume = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })

  log_configuration = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.this.name
      awslogs-region        = data.aws_region.current.id
      awslogs-stream-prefix = "ecs"
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = local.assume
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
      { Effect = "Allow", Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], Resource = "*" },
      { Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.this.arn}:*" },
    ]
  })
}

# What the gate needs; the service shares it. Nothing in it can write.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = local.assume
}

resource "aws_iam_role_policy" "task" {
  name = "read-trust-material"
  role = aws_iam_role.task.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Effect = "Allow", Action = "ssm:GetParameter", Resource = local.parameter_arns }],
      [for arn in local.crl_bucket : { Effect = "Allow", Action = "s3:GetObject", Resource = ["${arn}/*"] }],
      # Else a missing CRL would look forbidden.
      [for arn in local.crl_bucket : { Effect = "Allow", Action = "s3:ListBucket", Resource = [arn] }],
    )
  })
}

resource "aws_ecs_cluster" "this" {
  name = var.name
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "512"
  memory                   = "1024"
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  container_definitions = jsonencode([
    {
      name                   = "gate"
      image                  = var.gate_image
      essential              = true
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      environment = concat([for name, value in local.trust_material : { name = name, value = value } if value != null], [
        { name = "MTLS_HEADER", value = local.header },
        { name = "MTLS_PEERS", value = join(" ", var.subnet_cidrs) },
        { name = "MTLS_SERVICE", value = var.name },
        { name = "FORWARD_UPSTREAM", value = "http://127.0.0.1:3000" },
        # ECS takes a task from the load balancer, and waits for the deregistration delay, before it ends the containers.
        { name = "SERVER_DRAIN", value = "1s" },
      ])
      portMappings     = [{ containerPort = 8080 }, { containerPort = 9901 }]
      stopTimeout      = 30
      logConfiguration = local.log_configuration
    },
    {
      name                   = "service"
      image                  = var.service_image
      essential              = true
      readonlyRootFilesystem = true
      # Started after the gate, and so ended before it.
      dependsOn        = [{ containerName = "gate", condition = "START" }]
      logConfiguration = local.log_configuration
    },
  ])
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = aws_ecs_cluster.this.id
  launch_type     = "FARGATE"
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = 2

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  load_balancer {
    container_name   = "gate"
    container_port   = 8080
    target_group_arn = aws_lb_target_group.gate.arn
  }

  network_configuration {
    assign_public_ip = false
    subnets          = var.service_subnet_ids
    security_groups  = [aws_security_group.tasks.id]
  }

  # A target group without a listener is refused.
  depends_on = [aws_lb_listener.https]
}

output "load_balancer" {
  description = "Name that the server's name must be an alias of"
  value       = aws_lb.this.dns_name
}
