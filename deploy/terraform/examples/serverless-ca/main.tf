# The gate with serverless-ca as the CA of its clients: its root is the trust anchor, and the gate reads its CRLs where it publishes them.

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

variable "external_bucket" {
  description = "The bucket to which serverless-ca publishes its certificates and CRLs"
  type        = string
}

variable "project" {
  description = "The `project` that serverless-ca was given"
  type        = string
  default     = "serverless"
}

variable "env" {
  description = "The `env` that serverless-ca was given"
  type        = string
  default     = "dev"
}

variable "prod_envs" {
  description = "The `prod_envs` that serverless-ca was given: names of files leave these environments out"
  type        = list(string)
  default     = ["prd", "prod"]
}

variable "root_certificate" {
  description = "File with the CA's root: aws s3 cp s3://BUCKET/PROJECT-root-ca-ENV.crt root.pem"
  type        = string
  default     = "root.pem"
}

variable "issuing_certificate" {
  description = "File with the issuing CA: aws s3 cp s3://BUCKET/PROJECT-issuing-ca-ENV.crt issuing.pem"
  type        = string
  default     = "issuing.pem"
}

variable "certificate_header" {
  description = "Name of the certificate header; null makes one that stays in the state"
  type        = string
  default     = null
}

locals {
  suffix = contains(var.prod_envs, var.env) ? "" : "-${var.env}"
}

module "gate" {
  source = "../.."

  package         = "${path.root}/../../../../target/lambda/respond/bootstrap.zip"
  vpc_id          = var.vpc_id
  subnet_ids      = var.subnet_ids
  certificate_arn = var.certificate_arn

  # Null makes a name that stays in the state.
  certificate_header = var.certificate_header

  anchors = { serverless-ca = file(var.root_certificate) }
  # Certificates that serverless-ca issues by GitOps come without their chain.
  intermediates = { serverless-ca = file(var.issuing_certificate) }
  crls = [
    "s3://${var.external_bucket}/${var.project}-root-ca${local.suffix}.crl",
    "s3://${var.external_bucket}/${var.project}-issuing-ca${local.suffix}.crl",
  ]
  environment = {
    # A CRL of this CA lives for a day and ten minutes: a single missed run must not lock all clients out.
    MTLS_CRL_GRACE = "6h"
  }
}

output "certificate_header" {
  description = "Name of the certificate header, for a WAF rule: keep it to yourself"
  value       = module.gate.certificate_header
}

output "role_arn" {
  description = "Role of the function; where serverless-ca is in another account, it goes into its s3_aws_principals"
  value       = module.gate.role_arn
}

output "try_it" {
  description = "A first request"
  value       = module.gate.try_it
}
