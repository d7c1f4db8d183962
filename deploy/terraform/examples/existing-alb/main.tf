# The gate behind an application load balancer that exists, as a listener of its own on another port. With `listener_arn` in place of
# `load_balancer_arn` it is a rule of a listener that is in passthrough mode already.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.85"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.0"
    }
  }
}

variable "load_balancer_arn" {
  description = "ARN of the load balancer"
  type        = string
}

variable "certificate_arn" {
  description = "ARN of the server's certificate in AWS Certificate Manager"
  type        = string
}

variable "root_certificate" {
  description = "File with the root certificate of the clients"
  type        = string
  default     = "root.pem"
}

variable "issuing_certificate" {
  description = "File with the certificate of the CA that issues to clients"
  type        = string
  default     = "issuing.pem"
}

module "gate" {
  source = "../.."

  package           = "${path.root}/../../../../target/lambda/respond/bootstrap.zip"
  load_balancer_arn = var.load_balancer_arn
  listener_port     = 8443
  certificate_arn   = var.certificate_arn
  anchors           = { root = file(var.root_certificate) }
  intermediates     = { issuing = file(var.issuing_certificate) }
}

output "certificate_header" {
  description = "Name of the certificate header, for a WAF rule: keep it to yourself"
  value       = module.gate.certificate_header
}

output "listener_arn" {
  description = "ARN of the listener; the load balancer's security group has to let clients connect to its port"
  value       = module.gate.listener_arn
}
