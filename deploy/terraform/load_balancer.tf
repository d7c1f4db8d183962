# The load balancer, its listener and its target group, or a place behind those that exist.

resource "aws_lb_target_group" "gate" {
  count = local.has_load_balancer ? 1 : 0

  name        = "${var.name}-gate"
  target_type = "lambda"
  # With single values a second certificate header could not be seen.
  lambda_multi_value_headers_enabled = true
  tags                               = var.tags
}

resource "aws_lb_target_group_attachment" "gate" {
  count = local.has_load_balancer ? 1 : 0

  target_group_arn = aws_lb_target_group.gate[0].arn
  target_id        = aws_lambda_function.gate.arn
  depends_on       = [aws_lambda_permission.load_balancer]
}

resource "aws_security_group" "load_balancer" {
  count = local.makes_load_balancer ? 1 : 0

  name_prefix = "${var.name}-"
  description = "HTTPS to the alb-mtls load balancer"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

locals {
  ports = var.http_redirect ? { https = var.listener_port, http = 80 } : { https = var.listener_port }
  clients = merge(
    { for cidr in var.allowed_cidrs : cidr => { ipv4 = cidr, ipv6 = null, list = null } },
    { for cidr in var.allowed_ipv6_cidrs : cidr => { ipv4 = null, ipv6 = cidr, list = null } },
    { for list in var.allowed_prefix_list_ids : list => { ipv4 = null, ipv6 = null, list = list } },
  )
  ingress = merge([
    for protocol, port in local.ports : { for name, client in local.clients : "${protocol} ${name}" => merge(client, { port = port }) }
  ]...)
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = local.makes_load_balancer ? local.ingress : {}

  security_group_id = aws_security_group.load_balancer[0].id
  description       = each.value.port == 80 ? "HTTP from clients, to be redirected" : "HTTPS from clients"
  cidr_ipv4         = each.value.ipv4
  cidr_ipv6         = each.value.ipv6
  prefix_list_id    = each.value.list
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  tags              = var.tags
}

resource "aws_lb" "gate" {
  count = local.makes_load_balancer ? 1 : 0

  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.scheme == "internal"
  ip_address_type            = var.ip_address_type
  subnets                    = var.subnet_ids
  security_groups            = aws_security_group.load_balancer[*].id
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  tags                       = var.tags

  dynamic "access_logs" {
    for_each = aws_s3_bucket.logs
    content {
      bucket  = access_logs.value.id
      enabled = true
    }
  }

  # Clients that fail in the handshake are in these alone.
  dynamic "connection_logs" {
    for_each = aws_s3_bucket.logs
    content {
      bucket  = connection_logs.value.id
      enabled = true
    }
  }

  # The load balancer tries to write when it is made.
  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_wafv2_web_acl_association" "gate" {
  count = local.makes_load_balancer && var.web_acl_arn != null ? 1 : 0

  resource_arn = aws_lb.gate[0].arn
  web_acl_arn  = var.web_acl_arn
}

locals {
  # The listener's ARN contains the load balancer's.
  load_balancer_arn = (
    local.makes_load_balancer ? aws_lb.gate[0].arn :
    local.makes_listener ? var.load_balancer_arn :
    var.listener_arn == null ? null : replace(var.listener_arn, "/^(.*):listener\\/(.*)\\/[^\\/]+$/", "$1:loadbalancer/$2")
  )
  load_balancer = local.makes_load_balancer ? aws_lb.gate[0].arn_suffix : local.load_balancer_arn == null ? null : split(":loadbalancer/", local.load_balancer_arn)[1]
}

resource "aws_lb_listener" "https" {
  count = local.makes_listener ? 1 : 0

  load_balancer_arn = local.load_balancer_arn
  port              = var.listener_port
  protocol          = "HTTPS"
  ssl_policy        = var.tls_policy
  certificate_arn   = var.certificate_arn
  tags              = var.tags

  routing_http_request_x_amzn_mtls_clientcert_header_name = local.certificate_header

  mutual_authentication {
    mode = "passthrough"
  }

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gate[0].arn
  }

  # A listener that forwards to a group without a target answers with 503 meanwhile.
  depends_on = [aws_lb_target_group_attachment.gate]
}

# Without mutual TLS no listener may reach a target group: this one only redirects.
resource "aws_lb_listener" "http" {
  count = local.makes_load_balancer && var.http_redirect ? 1 : 0

  load_balancer_arn = aws_lb.gate[0].arn
  port              = 80
  protocol          = "HTTP"
  tags              = var.tags

  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = tostring(var.listener_port)
      status_code = "HTTP_301"
    }
  }
}

data "aws_lb_listener" "existing" {
  count = var.listener_arn == null ? 0 : 1

  arn = var.listener_arn

  lifecycle {
    postcondition {
      condition     = try(self.mutual_authentication[0].mode, "off") == "passthrough"
      error_message = "The listener of `listener_arn` is not in mTLS passthrough mode: behind it, what the gate reads as a certificate comes from the client."
    }
  }
}

resource "aws_lb_listener_rule" "gate" {
  count = var.listener_arn == null ? 0 : 1

  listener_arn = data.aws_lb_listener.existing[0].arn
  priority     = var.listener_rule_priority
  tags         = var.tags

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gate[0].arn
  }

  condition {
    path_pattern {
      values = var.listener_rule_paths
    }
  }

  dynamic "condition" {
    for_each = length(var.listener_rule_hosts) == 0 ? [] : [true]
    content {
      host_header {
        values = var.listener_rule_hosts
      }
    }
  }

  depends_on = [aws_lb_target_group_attachment.gate]
}
