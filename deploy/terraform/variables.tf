# Names and defaults are those of template.yaml; what is a list there, in one text, is a list here.

variable "name" {
  description = "Name of everything that is made; part of the target group's name"
  type        = string
  default     = "alb-mtls"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "The name has 2 to 24 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen: buckets are named after it."
  }
}

variable "tags" {
  description = "Tags of everything that is made"
  type        = map(string)
  default     = {}
}

# --- the function

variable "package" {
  description = "Zip file of the function: target/lambda/respond/bootstrap.zip, target/lambda/forward/bootstrap.zip, with `api_gateway` target/lambda/authorize/bootstrap.zip, or with `layered` that of your own"
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
    error_message = "Lambda starts no wrapper in the provided runtimes: have the bootstrap of the package start the gate, and add the layer by hand."
  }

  validation {
    condition     = var.layered == null || (var.forward_upstream == null && var.forward_function_arn == null)
    error_message = "A function with the layer answers requests itself: leave out forward_upstream and forward_function_arn, or layered."
  }
}

variable "architecture" {
  description = "Architecture that the packages were built for"
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "environment" {
  description = "More variables of the function, such as MTLS_CRL_GRACE; none that the module sets itself"
  type        = map(string)
  default     = {}

  validation {
    condition = length(setintersection(keys(var.environment), [
      "AUTHORIZE_CERTIFICATE", "AUTHORIZE_RESPONSE", "AWS_LAMBDA_EXEC_WRAPPER", "FORWARD_IDENTITY", "FORWARD_LAMBDA_EVENT", "FORWARD_UPSTREAM", "MTLS_ANCHORS", "MTLS_CRLS", "MTLS_DENY", "MTLS_EXTENSIONS", "MTLS_HEADER",
      "MTLS_INTERMEDIATES", "MTLS_METRICS", "MTLS_MODE", "MTLS_OCSP", "MTLS_POLICY", "MTLS_REVOCATION", "MTLS_SERVICE", "MTLS_SHADOW_ANCHORS",
      "MTLS_SHADOW_POLICY", "MTLS_SIGNATURES", "MTLS_TARGET_GROUPS",
    ])) == 0
    error_message = "The module has variables of its own for one of these settings: see the names in its README."
  }
}

variable "function_subnet_ids" {
  description = "Private subnets of vpc_id for the functions, from which they reach SSM, S3 and the upstream; empty means that they are in no VPC"
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.function_subnet_ids) == 0 || var.vpc_id != null
    error_message = "Functions in subnets need vpc_id."
  }
}

variable "reserved_concurrency" {
  description = "Invocations at once that are reserved for the function; null reserves none"
  type        = number
  default     = null

  validation {
    # With 0 the function would never run, and clients would get 502.
    condition     = try(var.reserved_concurrency > 0, true)
    error_message = "Reserved concurrency is at least 1."
  }
}

variable "kms_key_arn" {
  description = "ARN of a KMS key for parameters, the trust bucket, log groups and the functions' variables; its policy has to let CloudWatch Logs use it"
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "The key is named by the ARN of the key, not of an alias."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the functions' roles"
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "The boundary is the ARN of a managed policy."
  }
}

# --- the load balancer: a new one, a listener on one that exists, or a rule of a listener that exists

variable "vpc_id" {
  description = "VPC of a new load balancer, and of the functions with function_subnet_ids"
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "At least two subnets of that VPC, in different availability zones, for a new load balancer"
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.subnet_ids) == 0 || length(var.subnet_ids) >= 2
    error_message = "A load balancer needs two subnets."
  }

  validation {
    condition     = length(var.subnet_ids) == 0 || var.vpc_id != null
    error_message = "A new load balancer needs vpc_id."
  }

  validation {
    condition     = length([for given in [length(var.subnet_ids) > 0, var.load_balancer_arn != null, var.listener_arn != null, var.api_gateway != null] : given if given]) == 1
    error_message = "The gate is behind one load balancer or before one API: give subnet_ids for a new load balancer, load_balancer_arn for one that exists, listener_arn for a listener that exists, or api_gateway."
  }
}

variable "load_balancer_arn" {
  description = "Instead of subnet_ids, ARN of an application load balancer that exists: it gets a listener on listener_port"
  type        = string
  default     = null

  validation {
    condition     = var.load_balancer_arn == null || can(regex("^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/app/[^/]+/[0-9a-f]+$", var.load_balancer_arn))
    error_message = "The load balancer is an application load balancer's ARN."
  }
}

variable "listener_port" {
  description = "Port of the listener that is made"
  type        = number
  default     = 443

  validation {
    condition     = var.listener_port >= 1 && var.listener_port <= 65535 && floor(var.listener_port) == var.listener_port
    error_message = "The port is a number from 1 to 65535."
  }
}

variable "listener_arn" {
  description = "Instead of subnet_ids, ARN of an HTTPS listener in mTLS passthrough mode that exists: it gets a rule"
  type        = string
  default     = null

  validation {
    condition     = var.listener_arn == null || can(regex("^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/[^/]+/[0-9a-f]+/[0-9a-f]+$", var.listener_arn))
    error_message = "The listener is the ARN of an application load balancer's listener."
  }

  validation {
    # The module cannot set the listener's attribute, and a gate that reads another header reads what clients write.
    condition     = var.listener_arn == null || var.certificate_header != null
    error_message = "With a listener that exists, certificate_header is the name that its attribute routing.http.request.x_amzn_mtls_clientcert.header_name has."
  }
}

variable "listener_rule_priority" {
  description = "With listener_arn, priority of the rule"
  type        = number
  default     = 100

  validation {
    condition     = var.listener_rule_priority >= 1 && var.listener_rule_priority <= 50000
    error_message = "The priority of a rule is a number from 1 to 50000."
  }
}

variable "listener_rule_paths" {
  description = "With listener_arn, paths of the rule"
  type        = list(string)
  default     = ["/*"]

  validation {
    condition     = length(var.listener_rule_paths) > 0 && alltrue([for path in var.listener_rule_paths : startswith(path, "/")])
    error_message = "Paths begin with a slash, and there is at least one."
  }
}

variable "listener_rule_hosts" {
  description = "With listener_arn, hosts of the rule; empty means every host"
  type        = list(string)
  default     = []
}

# --- or an API

variable "api_gateway" {
  description = "Instead of a load balancer, kind of API that the authorizer is made with: http or rest"
  type        = string
  default     = null

  validation {
    condition     = var.api_gateway == null || contains(["http", "rest"], coalesce(var.api_gateway, "none"))
    error_message = "The kind of API is http or rest."
  }

  validation {
    condition     = var.api_gateway == null || (var.layered == null && var.forward_upstream == null && var.forward_function_arn == null && var.certificate_header == null)
    error_message = "An API gets the authorizer: layered, forward_upstream, forward_function_arn and certificate_header have no effect with api_gateway."
  }
}

variable "api_upstream" {
  description = "With api_gateway http, URL that answers authorized requests, without the last slash"
  type        = string
  default     = null

  validation {
    condition     = var.api_upstream == null || can(regex("^https?://[^ ]*[^ /]$", var.api_upstream))
    error_message = "The upstream of the API is an http:// or https:// URL without the last slash."
  }

  validation {
    condition     = (var.api_gateway == "http") == (var.api_upstream != null)
    error_message = "api_upstream is needed with api_gateway http, and has no effect without."
  }
}

variable "certificate_arn" {
  description = "ARN of the server's certificate in AWS Certificate Manager or IAM, for the listener that is made"
  type        = string
  default     = null

  validation {
    condition     = var.listener_arn != null || var.api_gateway != null || can(regex("^arn:aws[a-z-]*:(acm:[a-z0-9-]+:[0-9]{12}:certificate/|iam::[0-9]{12}:server-certificate/).+$", var.certificate_arn))
    error_message = "A new listener needs the ARN of a certificate in ACM or IAM."
  }
}

variable "scheme" {
  description = "Whether a new load balancer can be reached from the internet: internet-facing or internal"
  type        = string
  default     = "internet-facing"

  validation {
    condition     = contains(["internet-facing", "internal"], var.scheme)
    error_message = "The scheme is internet-facing or internal."
  }
}

variable "ip_address_type" {
  description = "Addresses of a new load balancer: ipv4, dualstack or dualstack-without-public-ipv4"
  type        = string
  default     = "ipv4"

  validation {
    condition     = contains(["ipv4", "dualstack", "dualstack-without-public-ipv4"], var.ip_address_type)
    error_message = "The type is ipv4, dualstack or dualstack-without-public-ipv4."
  }
}

variable "allowed_cidrs" {
  description = "IPv4 addresses that may connect to a new load balancer"
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "Addresses are IPv4 networks, such as 192.0.2.0/24."
  }
}

variable "allowed_ipv6_cidrs" {
  description = "IPv6 addresses that may connect to a new load balancer"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.allowed_ipv6_cidrs : can(cidrsubnet(cidr, 0, 0)) && strcontains(cidr, ":")])
    error_message = "Addresses are IPv6 networks, such as 2001:db8::/32."
  }

  validation {
    condition     = length(var.allowed_ipv6_cidrs) == 0 || var.ip_address_type != "ipv4"
    error_message = "IPv6 clients need ip_address_type dualstack."
  }
}

variable "allowed_prefix_list_ids" {
  description = "Prefix lists whose addresses may connect to a new load balancer"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for list in var.allowed_prefix_list_ids : startswith(list, "pl-")])
    error_message = "Prefix lists have ids that begin with pl-."
  }
}

variable "web_acl_arn" {
  description = "ARN of a web ACL of AWS WAF for a new load balancer"
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/.+$", var.web_acl_arn))
    error_message = "The web ACL is the ARN of a regional one."
  }

  validation {
    condition     = var.web_acl_arn == null || length(var.subnet_ids) > 0
    error_message = "A web ACL is associated with a new load balancer alone."
  }
}

variable "deletion_protection" {
  description = "Whether a new load balancer is protected from deletion"
  type        = bool
  default     = false
}

variable "tls_policy" {
  description = "Security policy of the listener that is made"
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"

  validation {
    condition     = can(regex("^ELBSecurityPolicy-[A-Za-z0-9-]+$", var.tls_policy))
    error_message = "Security policies have names that begin with ELBSecurityPolicy-."
  }
}

variable "http_redirect" {
  description = "Whether a new load balancer has port 80 open too, to redirect to the listener's port"
  type        = bool
  default     = false
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

# --- who is trusted

variable "anchors" {
  description = "Trust anchors: name and PEM of each; empty means that they are put below anchors_parameter_path by other means"
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for pem in values(var.anchors) : can(regex("-----BEGIN CERTIFICATE-----", pem)) && !can(regex("PRIVATE KEY", pem))])
    error_message = "Trust anchors are PEM certificates, without private keys."
  }

  validation {
    condition     = alltrue([for name in keys(var.anchors) : can(regex("^[a-zA-Z0-9_.-]+$", name))])
    error_message = "Names of trust anchors have letters, digits, dots, hyphens and underscores."
  }

  validation {
    condition     = length(var.anchors) > 0 || var.anchors_parameter_path != null || length(var.anchors_objects) > 0
    error_message = "Give anchors, or the anchors_parameter_path or anchors_objects that have them."
  }

  validation {
    # The advanced tier of Parameter Store.
    condition     = alltrue([for pem in values(var.anchors) : length(pem) <= 8192])
    error_message = "A parameter has 8 KB: give each trust anchor a name of its own, or put a larger one into S3 and name it in anchors_objects."
  }
}

variable "anchors_parameter_path" {
  description = "Path in SSM Parameter Store whose parameters are the trust anchors; null means /NAME/anchors"
  type        = string
  default     = null

  validation {
    condition     = var.anchors_parameter_path == null || can(regex("^(/[a-zA-Z0-9_.-]+)+$", var.anchors_parameter_path))
    error_message = "A path begins with a slash and does not end with one."
  }
}

variable "anchors_objects" {
  description = "Objects in S3 with trust anchors as PEM, such as s3://bucket/roots.pem#sha256=DIGEST, with ?region= for one in another Region; the only anchors without anchors and anchors_parameter_path"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for object in var.anchors_objects : can(regex("^s3://[a-z0-9][a-z0-9.-]+[a-z0-9]/[^\\s?#%*$:]*[^\\s?#%*$:/](\\?(region=[a-z-]+-[0-9]|owner=[0-9]{12}|region=[a-z-]+-[0-9]&owner=[0-9]{12}))?(#sha256=[0-9a-fA-F]{64})?$", object))])
    error_message = "Objects are s3://bucket/key without escapes, with ?region=, ?owner= or ?region=&owner=, and #sha256=."
  }
}

variable "intermediates" {
  description = "Issuing CAs: name and PEM of each, for clients that send their own certificate alone, and for the CRLs that issuing CAs sign"
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for pem in values(var.intermediates) : can(regex("-----BEGIN CERTIFICATE-----", pem)) && !can(regex("PRIVATE KEY", pem)) && length(pem) <= 8192])
    error_message = "Intermediates are PEM certificates, without private keys, of up to 8 KB each; larger ones are for intermediates_objects."
  }

  validation {
    condition     = alltrue([for name in keys(var.intermediates) : can(regex("^[a-zA-Z0-9_.-]+$", name))])
    error_message = "Names of intermediates have letters, digits, dots, hyphens and underscores."
  }
}

variable "intermediates_parameter_path" {
  description = "Path in SSM Parameter Store whose parameters are the intermediates; null means /NAME/intermediates where there are intermediates"
  type        = string
  default     = null

  validation {
    condition     = var.intermediates_parameter_path == null || can(regex("^(/[a-zA-Z0-9_.-]+)+$", var.intermediates_parameter_path))
    error_message = "A path begins with a slash and does not end with one."
  }

  validation {
    # Every parameter below the anchors' path is an anchor.
    condition     = coalesce(var.intermediates_parameter_path, "/${var.name}/intermediates") != coalesce(var.anchors_parameter_path, "/${var.name}/anchors")
    error_message = "Intermediates below the path of the trust anchors would be trust anchors: give them a path of their own."
  }
}

variable "intermediates_objects" {
  description = "Objects in S3 with intermediates, as anchors_objects"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for object in var.intermediates_objects : can(regex("^s3://[a-z0-9][a-z0-9.-]+[a-z0-9]/[^\\s?#%*$:]*[^\\s?#%*$:/](\\?(region=[a-z-]+-[0-9]|owner=[0-9]{12}|region=[a-z-]+-[0-9]&owner=[0-9]{12}))?(#sha256=[0-9a-fA-F]{64})?$", object))])
    error_message = "Objects are s3://bucket/key without escapes, with ?region=, ?owner= or ?region=&owner=, and #sha256=."
  }

  validation {
    condition     = length(setintersection(var.intermediates_objects, var.anchors_objects)) == 0
    error_message = "What is in anchors_objects is a trust anchor: intermediates have objects of their own."
  }
}

variable "signatures" {
  description = "Algorithms that may sign certificates and CRLs, such as ecdsa-p384-sha384 and ml-dsa-87; empty means all of them"
  type        = list(string)
  default     = []

  validation {
    condition = length(setsubtract(var.signatures, [
      "rsa-pkcs1-sha256", "rsa-pkcs1-sha384", "rsa-pkcs1-sha512", "rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512",
      "ecdsa-p256-sha256", "ecdsa-p256-sha384", "ecdsa-p256-sha512", "ecdsa-p384-sha256", "ecdsa-p384-sha384", "ecdsa-p384-sha512",
      "ecdsa-p521-sha256", "ecdsa-p521-sha384", "ecdsa-p521-sha512", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87",
    ])) == 0
    error_message = "Signature algorithms have names such as rsa-pss-sha384, ecdsa-p256-sha256 and ml-dsa-87: the row MTLS_SIGNATURES of README.md has all of them."
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

variable "crls" {
  description = "CRLs that the gate reads, such as s3://bucket/crls/root.crl; empty means those that crl_sources are published as, and without these revocation is off"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for crl in var.crls : can(regex("^s3://[^/ ?#]+/[^ ]+$", crl))])
    error_message = "CRLs are s3://bucket/key."
  }
}

variable "revocation" {
  description = "With CRLs or OCSP: strict also refuses a client whose status neither clears, soft refuses revoked ones only"
  type        = string
  default     = "strict"

  validation {
    condition     = contains(["strict", "soft"], var.revocation)
    error_message = "Revocation is strict or soft."
  }
}

variable "ocsp" {
  description = "OCSP responders, as MTLS_OCSP: http://host/, SHA-256=http://host/, aia-cas, aia-clients. In subnets, the functions need a way to them"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for responder in var.ocsp : can(regex("^(([0-9A-Fa-f:]+=)?http://[^ ]+|aia-cas|aia-clients)$", responder))])
    error_message = "OCSP responders are http://host/, SHA-256=http://host/, aia-cas or aia-clients."
  }
}

variable "crl_sources" {
  description = "URLs that CRLs are fetched from into a bucket of the module: http://, https:// or s3://bucket/key; empty means that nothing is fetched"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for source in var.crl_sources : can(regex("^(https?://[^\\s#@/]+/[^\\s#]*|s3://[a-z0-9][a-z0-9.-]+[a-z0-9]/[^\\s?#]+(\\?(region=[a-z-]+-[0-9]|owner=[0-9]{12}|region=[a-z-]+-[0-9]&owner=[0-9]{12}))?)$", source))])
    error_message = "Sources are http:// and https:// URLs without user and fragment, with spaces written as %20, and s3://bucket/key, with ?region=, ?owner= or ?region=&owner=."
  }

  validation {
    condition = length(var.crls) > 0 || alltrue([
      for source in var.crl_sources : can(regex("^(https?://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9_()%+-][A-Za-z0-9_.()%+-]*)+|s3://[a-z0-9.-]+(/[A-Za-z0-9_()%+-][A-Za-z0-9_.()%+-]*)+(\\?.*)?)$", source)) && !strcontains(source, "%2E") && !strcontains(source, "%2e")
    ])
    error_message = "The place where one of these is published is not derived here, because of its capitals, query or dots: give crls what `alb-mtls bundle crls` prints."
  }

  validation {
    condition     = length(var.crl_sources) == 0 || var.refresh_crls_package != null
    error_message = "Fetching CRLs needs refresh_crls_package."
  }
}

variable "refresh_crls_package" {
  description = "With crl_sources, zip file of refresh-crls: target/lambda/refresh-crls/bootstrap.zip"
  type        = string
  default     = null
}

variable "crl_schedule" {
  description = "With crl_sources, how often they are fetched, as an EventBridge rate or cron expression"
  type        = string
  default     = "rate(6 hours)"

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.crl_schedule))
    error_message = "A schedule is rate(...) or cron(...)."
  }
}

variable "crl_topic_arn" {
  description = "With crl_sources, ARN of an SNS topic on which a CA says that it revoked something; then they are fetched at once"
  type        = string
  default     = null

  validation {
    condition     = var.crl_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.crl_topic_arn))
    error_message = "The topic is the ARN of an SNS topic."
  }

  validation {
    condition     = var.crl_topic_arn == null || length(var.crl_sources) > 0
    error_message = "crl_topic_arn has no effect without crl_sources."
  }
}

variable "crl_reserved_concurrency" {
  description = "Invocations of refresh-crls at once: 1 keeps two runs from overtaking each other; null reserves none, for accounts with a limit of 10"
  type        = number
  default     = null

  validation {
    condition     = try(var.crl_reserved_concurrency > 0, true)
    error_message = "Reserved concurrency is at least 1."
  }
}

variable "deny_list" {
  description = "Object with the clients that are denied within seconds, such as s3://BUCKET/deny.txt; write it first with alb-mtls deny create. null means none"
  type        = string
  default     = null

  validation {
    condition     = var.deny_list == null || can(regex("^s3://[a-z0-9][a-z0-9.-]+[a-z0-9]/[^\\s?#%*$:]*[^\\s?#%*$:/](\\?(region=[a-z-]+-[0-9]|owner=[0-9]{12}|region=[a-z-]+-[0-9]&owner=[0-9]{12}))?$", var.deny_list))
    error_message = "The deny list is s3://BUCKET/KEY, with ?region=, ?owner= or ?region=&owner=, and without escapes."
  }
}

variable "extensions" {
  description = "Private X.509 extensions of the client's certificate that become part of its identity, such as device_id=1.3.6.1.4.1.99999.1"
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.extensions) <= 16 && alltrue([for extension in var.extensions : can(regex("^([A-Za-z0-9_-]+=)?[0-2](\\.[0-9]+)+$", extension))])
    error_message = "Extensions are up to 16 object identifiers, each with a name before it or none: device_id=1.3.6.1.4.1.99999.1."
  }
}

# --- who may do what

variable "policies_parameter_path" {
  description = "Path in SSM Parameter Store whose parameters are Cedar policies; null means that every verified client may pass. respond needs the cargo feature policy"
  type        = string
  default     = null

  validation {
    condition     = var.policies_parameter_path == null || can(regex("^(/[a-zA-Z0-9_.-]+)+$", var.policies_parameter_path))
    error_message = "A path begins with a slash and does not end with one."
  }
}

variable "shadow_policies_parameter_path" {
  description = "Path whose parameters are policies that are tried out: what they would decide otherwise is recorded"
  type        = string
  default     = null

  validation {
    condition     = var.shadow_policies_parameter_path == null || can(regex("^(/[a-zA-Z0-9_.-]+)+$", var.shadow_policies_parameter_path))
    error_message = "A path begins with a slash and does not end with one."
  }
}

variable "shadow_anchors_parameter_path" {
  description = "Path whose parameters are trust anchors that are tried out, likewise"
  type        = string
  default     = null

  validation {
    condition     = var.shadow_anchors_parameter_path == null || can(regex("^(/[a-zA-Z0-9_.-]+)+$", var.shadow_anchors_parameter_path))
    error_message = "A path begins with a slash and does not end with one."
  }
}

# --- where verified requests go, with the package of forward

variable "forward_upstream" {
  description = "Where verified requests are forwarded to, such as http://10.0.0.7:8080; the package is that of forward"
  type        = string
  default     = null

  validation {
    condition     = var.forward_upstream == null || can(regex("^https?://[^ ]+$", var.forward_upstream))
    error_message = "The upstream is an http:// or https:// URL."
  }
}

variable "forward_function_arn" {
  description = "Instead of forward_upstream, ARN of the Lambda function to forward to, with an alias or a version if it has one"
  type        = string
  default     = null

  validation {
    condition     = var.forward_function_arn == null || can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$", var.forward_function_arn))
    error_message = "The function is the ARN of a Lambda function."
  }

  validation {
    condition     = var.forward_function_arn == null || var.forward_upstream == null
    error_message = "forward_function_arn and forward_upstream exclude each other."
  }
}

variable "forward_function_event" {
  description = "With forward_function_arn, single-value for a function that knows no multi-value headers"
  type        = string
  default     = "as-sent"

  validation {
    condition     = contains(["as-sent", "single-value"], var.forward_function_event)
    error_message = "The event is as-sent or single-value."
  }

  validation {
    condition     = var.forward_function_event == "as-sent" || var.forward_function_arn != null
    error_message = "forward_function_event has no effect without forward_function_arn."
  }
}

variable "forward_identity" {
  description = "With forward_upstream or forward_function_arn, what tells the upstream who the client is, separated by commas"
  type        = string
  default     = "verify-mode"

  validation {
    # An assertion would need keys, which this module has no variables for.
    condition     = can(regex("^(none|(verify-mode|passthrough|rfc9440|xfcc|extensions)(,(verify-mode|passthrough|rfc9440|xfcc|extensions))*)$", var.forward_identity))
    error_message = "forward_identity takes verify-mode, passthrough, rfc9440, xfcc and extensions, separated by commas, or the word none."
  }
}

# --- records and alarms

variable "log_retention_days" {
  description = "Days for which decision records and the load balancer's logs are kept"
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs keeps records for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "load_balancer_logs" {
  description = "Whether a new load balancer writes its access and connection logs into a bucket of the module"
  type        = bool
  default     = true
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to; empty means that they only change their state"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for topic in var.alarm_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", topic))])
    error_message = "Topics are ARNs of SNS topics."
  }
}

variable "denied_percent" {
  description = "Share of refused requests, in percent, above which there is an alarm"
  type        = number
  default     = 20

  validation {
    condition     = var.denied_percent >= 1 && var.denied_percent <= 99
    error_message = "The share is from 1 to 99."
  }
}

variable "anchor_alarm_days" {
  description = "Days before a trust anchor expires from which there is an alarm"
  type        = number
  default     = 30

  validation {
    condition     = var.anchor_alarm_days >= 1
    error_message = "The alarm is at least one day before."
  }
}

variable "crl_alarm_seconds" {
  description = "With CRLs, seconds before one is past its nextUpdate from which there is an alarm; less than two CRLs overlap"
  type        = number
  default     = 300

  validation {
    condition     = var.crl_alarm_seconds >= 0
    error_message = "The alarm is at the nextUpdate or before."
  }
}
