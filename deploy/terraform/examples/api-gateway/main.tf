# An API with the authorizer, and no load balancer: an HTTP API that passes requests on to a server, or a REST API that answers by itself.

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

variable "kind" {
  description = "Kind of API: http or rest"
  type        = string
  default     = "http"
}

variable "upstream" {
  description = "With an HTTP API, URL that answers authorized requests"
  type        = string
  default     = null
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

  package      = "${path.root}/../../../../target/lambda/authorize/bootstrap.zip"
  api_gateway  = var.kind
  api_upstream = var.upstream
  anchors      = { root = file(var.root_certificate) }
  # API Gateway passes on the client's own certificate alone.
  intermediates = { issuing = file(var.issuing_certificate) }
}

output "api_id" {
  description = "Id of the API, to map a custom domain with mutual TLS to"
  value       = module.gate.api_id
}

output "api_stage" {
  description = "Stage of the API, for the same mapping"
  value       = module.gate.api_stage
}
