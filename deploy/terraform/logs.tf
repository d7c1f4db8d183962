# The load balancer's access and connection logs. Terraform does not delete a bucket with objects.

locals {
  makes_log_bucket = local.makes_load_balancer && var.load_balancer_logs
  log_bucket       = "${var.name}-logs-${local.account}-${local.region}"
}

resource "aws_s3_bucket" "logs" {
  count = local.makes_log_bucket ? 1 : 0

  bucket = local.log_bucket
  tags   = var.tags
}

resource "aws_s3_bucket_versioning" "logs" {
  count = local.makes_log_bucket ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

# The load balancer can write to a bucket with no other kind of key.
resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  count = local.makes_log_bucket ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  count = local.makes_log_bucket ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  count = local.makes_log_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  count = local.makes_log_bucket ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id
  rule {
    id     = "expire"
    status = "Enabled"
    filter {}
    expiration {
      days = var.log_retention_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  count = local.makes_log_bucket ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "LoadBalancerWritesLogs"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.arn_prefix}:s3:::${local.log_bucket}/AWSLogs/${local.account}/*"
      },
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["${local.arn_prefix}:s3:::${local.log_bucket}", "${local.arn_prefix}:s3:::${local.log_bucket}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
