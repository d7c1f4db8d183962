# A function of your own, here in Python, with the gate as a layer before it: `make layer`, then zip what it leaves in target/layer.

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

variable "package" {
  description = "Zip file of your function"
  type        = string
  default     = "function.zip"
}

variable "layer" {
  description = "Zip file of the contents of target/layer"
  type        = string
  default     = "layer.zip"
}

module "gate" {
  source = "../.."

  name            = "orders"
  package         = var.package
  vpc_id          = var.vpc_id
  subnet_ids      = var.subnet_ids
  certificate_arn = var.certificate_arn
  anchors         = { root = file(var.root_certificate) }
  intermediates   = { issuing = file(var.issuing_certificate) }

  layered = {
    layer   = var.layer
    runtime = "python3.13"
    handler = "app.handler"
  }
}

output "try_it" {
  description = "A first request"
  value       = module.gate.try_it
}
