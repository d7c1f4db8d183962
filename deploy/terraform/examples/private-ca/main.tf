# The gate with AWS Private CA: a root and a subordinate CA that issues to clients. Private CA writes its CRLs, in partitions if it is
# told so, into a bucket; refresh-crls verifies them and publishes them for the gate.

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

variable "crl_sources" {
  description = "CRLs of both CAs, such as s3://example-crls/crl/ID.crl: with partitions, each of them"
  type        = list(string)
}

module "gate" {
  source = "../.."

  package              = "${path.root}/../../../../target/lambda/respond/bootstrap.zip"
  refresh_crls_package = "${path.root}/../../../../target/lambda/refresh-crls/bootstrap.zip"
  vpc_id               = var.vpc_id
  subnet_ids           = var.subnet_ids
  certificate_arn      = var.certificate_arn

  anchors = { root = file(var.root_certificate) }
  # Signs its own CRL, and is what clients leave out that send their certificate alone.
  intermediates = { issuing = file(var.issuing_certificate) }

  crl_sources = var.crl_sources
  # Private CA makes a CRL again about half an hour after a revocation.
  crl_schedule = "rate(30 minutes)"
}

output "refresh_crls_role_arn" {
  description = "Role that the policy of the bucket with the CRLs has to let read"
  value       = module.gate.refresh_crls_role_arn
}

output "try_it" {
  description = "A first request"
  value       = module.gate.try_it
}
