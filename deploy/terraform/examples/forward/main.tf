# The gate before a server in private subnets. The server's security group has to allow the one of the function, and nothing else.

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

variable "issuing_certificate" {
  description = "File with the certificate of the CA that issues to clients"
  type        = string
  default     = "issuing.pem"
}

variable "function_subnet_ids" {
  description = "Private subnets that reach the server, Parameter Store and S3"
  type        = list(string)
}

variable "upstream" {
  description = "The server, such as http://10.0.0.7:8080"
  type        = string
}

module "gate" {
  source = "../.."

  package         = "${path.root}/../../../../target/lambda/forward/bootstrap.zip"
  vpc_id          = var.vpc_id
  subnet_ids      = var.subnet_ids
  certificate_arn = var.certificate_arn
  anchors         = { root = file(var.root_certificate) }
  intermediates   = { issuing = file(var.issuing_certificate) }

  function_subnet_ids = var.function_subnet_ids
  forward_upstream    = var.upstream
  # The server reads the headers that a load balancer in verify mode would send.
  forward_identity = "verify-mode"
}

output "function_security_group_id" {
  description = "Security group that the server has to allow"
  value       = module.gate.function_security_group_id
}

output "try_it" {
  description = "A first request"
  value       = module.gate.try_it
}
