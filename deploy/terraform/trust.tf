# Trust anchors, intermediates and CRLs. A role that can write these decides which clients are allowed.

locals {
  anchors_path       = coalesce(var.anchors_parameter_path, "/${var.name}/anchors")
  intermediates_path = coalesce(var.intermediates_parameter_path, "/${var.name}/intermediates")

  # An empty path would be an error where the CAs are in objects alone.
  has_anchor_parameters       = length(var.anchors) > 0 || var.anchors_parameter_path != null || length(var.anchors_objects) == 0
  has_intermediate_parameters = length(var.intermediates) > 0 || var.intermediates_parameter_path != null
  has_intermediates           = local.has_intermediate_parameters || length(var.intermediates_objects) > 0

  anchors       = join(" ", concat(local.has_anchor_parameters ? ["ssm:${local.anchors_path}/*"] : [], var.anchors_objects))
  intermediates = join(" ", concat(local.has_intermediate_parameters ? ["ssm:${local.intermediates_path}/*"] : [], var.intermediates_objects))

  # Buckets and keys, without `?region=` and `#sha256=`.
  authority_objects = distinct([
    for object in concat(var.anchors_objects, var.intermediates_objects) : split("#", split("?", trimprefix(object, "s3://"))[0])[0]
  ])

  # Paths that the gate and refresh-crls read, and those that the gate alone reads.
  authority_paths = concat(local.has_anchor_parameters ? [local.anchors_path] : [], local.has_intermediate_parameters ? [local.intermediates_path] : [])
  policy_paths = [
    for path in [var.policies_parameter_path, var.shadow_policies_parameter_path, var.shadow_anchors_parameter_path] : path if path != null
  ]

  refreshes_crls = length(var.crl_sources) > 0
  trust_bucket   = "${var.name}-trust-${local.account}-${local.region}"
  # refresh-crls publishes a CRL below the name of its URL without the scheme, with the port after an underscore, and of an s3:// URL
  # without `?region=`.
  published_crls = [
    for source in var.crl_sources :
    "s3://${local.trust_bucket}/crls/${replace(replace(split("?", source)[0], "/^[a-z0-9]+:\\/\\//", ""), "/^([^:\\/]+):([0-9]+)\\//", "$${1}_$${2}/")}"
  ]
  crls = length(var.crls) > 0 ? var.crls : local.published_crls

  # Buckets and keys of s3:// sources, without `?region=` and the like. An escape can be any character.
  crl_objects    = [for crl in local.crls : replace(split("?", trimprefix(crl, "s3://"))[0], "/%[0-9A-Fa-f][0-9A-Fa-f]/", "*")]
  crl_buckets    = distinct([for object in local.crl_objects : split("/", object)[0]])
  source_objects = [for source in var.crl_sources : replace(split("?", trimprefix(source, "s3://"))[0], "/%[0-9A-Fa-f][0-9A-Fa-f]/", "*") if startswith(source, "s3://")]
  source_buckets = distinct([for object in local.source_objects : split("/", object)[0]])
}

resource "aws_ssm_parameter" "anchor" {
  for_each = var.anchors

  name   = "${local.anchors_path}/${each.key}"
  type   = var.kms_key_arn == null ? "String" : "SecureString"
  key_id = var.kms_key_arn
  tier   = length(each.value) > 4096 ? "Advanced" : "Standard"
  value  = each.value
  tags   = var.tags
}

resource "aws_ssm_parameter" "intermediate" {
  for_each = var.intermediates

  name   = "${local.intermediates_path}/${each.key}"
  type   = var.kms_key_arn == null ? "String" : "SecureString"
  key_id = var.kms_key_arn
  tier   = length(each.value) > 4096 ? "Advanced" : "Standard"
  value  = each.value
  tags   = var.tags
}

# The bucket that refresh-crls publishes to. Terraform does not delete a bucket with objects: what was trusted when is evidence.
resource "aws_s3_bucket" "trust" {
  count = local.refreshes_crls ? 1 : 0

  bucket = local.trust_bucket
  tags   = var.tags
}

resource "aws_s3_bucket_versioning" "trust" {
  count = local.refreshes_crls ? 1 : 0

  bucket = aws_s3_bucket.trust[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "trust" {
  count = local.refreshes_crls ? 1 : 0

  bucket = aws_s3_bucket.trust[0].id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "trust" {
  count = local.refreshes_crls ? 1 : 0

  bucket = aws_s3_bucket.trust[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "trust" {
  count = local.refreshes_crls ? 1 : 0

  bucket                  = aws_s3_bucket.trust[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "trust" {
  count = local.refreshes_crls ? 1 : 0

  bucket = aws_s3_bucket.trust[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["${local.arn_prefix}:s3:::${local.trust_bucket}", "${local.arn_prefix}:s3:::${local.trust_bucket}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
