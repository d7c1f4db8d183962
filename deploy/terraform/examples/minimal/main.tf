# The gate before `respond`, which answers with the identity of the client: one root, no revocation.

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

variable "vpc_id" {
  description = "VPC of the load balancer"
  type        = string
}

variable "subnet_ids" {
  description = "At least two public subnets of that VPC"
  type        = list(string)
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

module "gate" {
  source = "../.."

  package         = "${path.root}/../../../../target/lambda/respond/bootstrap.zip"
  vpc_id          = var.vpc_id
  subnet_ids      = var.subnet_ids
  certificate_arn = var.certificate_arn
  anchors         = { root = file(var.root_certificate) }
}

output "certificate_header" {
  description = "Name of the certificate header, for a WAF rule: keep it to yourself"
  value       = module.gate.certificate_header
}

output "try_it" {
  description = "A first request"
  value       = module.gate.try_it
}
