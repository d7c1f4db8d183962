variable "name" {
  description = "Name of everything that is made; part of the target group's name"
  type        = string
  default     = "alb-mtls"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,23}$", var.name))
    error_message = "The name has up to 24 letters, digits and hyphens, and begins with a letter."
  }
}

variable "package" {
  description = "Zip file of the function: target/lambda/respond/bootstrap.zip, target/lambda/forward/bootstrap.zip, or with `layered` that of your own"
  type        = string
}

variable "layered" {
  description = "With a function of your own in the package: its runtime and handler, and the zip file of what `make layer` leaves in target/layer"
  type = object({
    layer   = string
    runtime = string
    handler = string
  })
  default = null

  validation {
    # Lambda would not start the gate, and say nothing.
    condition     = var.layered == null || !startswith(try(var.layered.runtime, ""), "provided")
    error_message = "The provided runtimes know no wrapper: have the bootstrap of the package start the gate, and add the layer by hand."
  }
}

variable "architecture" {
  description = "Architecture that the package was built for"
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "vpc_id" {
  description = "VPC of the load balancer"
  type        = string
}

variable "subnet_ids" {
  description = "At least two subnets of that VPC, in different availability zones"
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "A load balancer needs two subnets."
  }
}

variable "certificate_arn" {
  description = "ARN of the server's certificate in AWS Certificate Manager"
  type        = string
}

variable "internal" {
  description = "Whether the load balancer can be reached from the VPC alone"
  type        = bool
  default     = false
}

variable "allowed_cidrs" {
  description = "Addresses that may connect to the load balancer"
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "tls_policy" {
  description = "Security policy of the HTTPS listener"
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-2021-06"
}

variable "anchors" {
  description = "Trust anchors: name and PEM of each"
  type        = map(string)

  validation {
    condition     = length(var.anchors) > 0 && alltrue([for pem in values(var.anchors) : can(regex("-----BEGIN CERTIFICATE-----", pem))])
    error_message = "Trust anchors are PEM certificates, and there is at least one."
  }
}

variable "crls" {
  description = "Sources of CRLs as in MTLS_CRLS, such as s3://bucket/crls/root.crl; none switches revocation off"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for crl in var.crls : can(regex("^s3://[^/ ]+/[^ ]+$", crl))])
    error_message = "CRLs are s3://bucket/key."
  }
}

variable "revocation" {
  description = "With crls: strict also refuses a client whose status no CRL clears, soft refuses revoked ones only"
  type        = string
  default     = "strict"

  validation {
    condition     = contains(["strict", "soft"], var.revocation)
    error_message = "Revocation is strict or soft."
  }
}

variable "mode" {
  description = "enforce denies, optional also allows clients without a certificate as anonymous, report denies no client"
  type        = string
  default     = "enforce"

  validation {
    condition     = contains(["enforce", "optional", "report"], var.mode)
    error_message = "The mode is enforce, optional or report."
  }
}

variable "certificate_header" {
  description = "Name that the load balancer gives the certificate header, which clients must not know; null makes one that stays in the state"
  type        = string
  default     = null

  validation {
    # AWS's own names are those that every client knows.
    condition     = var.certificate_header == null || (can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,39}$", var.certificate_header)) && !startswith(lower(coalesce(var.certificate_header, "x")), "x-amzn-"))
    error_message = "The header's name has up to 40 letters, digits and hyphens, begins with a letter, and not with x-amzn-."
  }
}

variable "environment" {
  description = "More variables of the function, such as FORWARD_UPSTREAM; none that the module sets itself"
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : !contains(["MTLS_ANCHORS", "MTLS_TARGET_GROUPS", "MTLS_HEADER", "MTLS_MODE", "MTLS_CRLS", "MTLS_REVOCATION", "MTLS_METRICS", "MTLS_SERVICE"], name)])
    error_message = "The module has variables of its own for these settings."
  }
}

variable "http_redirect" {
  description = "Whether port 80 is open too, to redirect to port 443"
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days for which decision records are kept"
  type        = number
  default     = 90
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to"
  type        = list(string)
  default     = []
}

variable "denied_percent" {
  description = "Share of refused requests, in percent, above which there is an alarm"
  type        = number
  default     = 20
}
