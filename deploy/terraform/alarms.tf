# Alarms. docs/operations.md says what to do about each.

locals {
  of_service   = { service = var.name }
  of_function  = { FunctionName = aws_lambda_function.gate.function_name }
  of_refresher = { FunctionName = one(aws_lambda_function.refresh_crls[*].function_name) }
  of_balancer  = { LoadBalancer = local.load_balancer }

  # Above the threshold with Sum, below it with Minimum. `long`: in two of three periods.
  alarms = merge(
    {
      refresh       = { namespace = "AlbMtls", metric = "TrustRefreshFailures", dimensions = local.of_service, statistic = "Sum", threshold = 0, long = true }
      anchors       = { namespace = "AlbMtls", metric = "AnchorDaysLeft", dimensions = local.of_service, statistic = "Minimum", threshold = var.anchor_alarm_days, long = false }
      disagreements = { namespace = "AlbMtls", metric = "ValidatorDisagreements", dimensions = local.of_service, statistic = "Sum", threshold = 0, long = false }
      throttles     = { namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.of_function, statistic = "Sum", threshold = 0, long = false }
    },
    !local.has_load_balancer ? {} : {
      target   = { namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = local.of_balancer, statistic = "Sum", threshold = 0, long = true }
      balancer = { namespace = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = local.of_balancer, statistic = "Sum", threshold = 0, long = true }
    },
    # The authorizer of a REST API denies clients without a certificate by an error: that is how API Gateway answers them with 401.
    var.api_gateway == "rest" ? {} : {
      errors = { namespace = "AWS/Lambda", metric = "Errors", dimensions = local.of_function, statistic = "Sum", threshold = 0, long = false }
    },
    var.deny_list == null ? {} : {
      deny-list = { namespace = "AlbMtls", metric = "DenyListRefreshFailures", dimensions = local.of_service, statistic = "Sum", threshold = 3, long = false }
    },
    length(local.crls) == 0 ? {} : {
      crls = { namespace = "AlbMtls", metric = "CrlSecondsLeft", dimensions = local.of_service, statistic = "Minimum", threshold = var.crl_alarm_seconds, long = false }
    },
    !local.refreshes_crls ? {} : {
      fetching = { namespace = "AWS/Lambda", metric = "Errors", dimensions = local.of_refresher, statistic = "Sum", threshold = 0, long = false }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "gate" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = each.value.long ? 3 : 1
  datapoints_to_alarm = each.value.long ? 2 : 1
  comparison_operator = each.value.statistic == "Sum" ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

# A share needs two metrics.
resource "aws_cloudwatch_metric_alarm" "denied" {
  alarm_name          = "${var.name}-denied"
  alarm_description   = "More requests than usual are refused"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.denied_percent
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id    = "share"
    label = "refused requests in percent"
    # Below 20 requests a share says nothing.
    expression  = "IF(FILL(allowed, 0) + FILL(denied, 0) >= 20, 100 * FILL(denied, 0) / (FILL(allowed, 0) + FILL(denied, 0)), 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { allowed = "Allowed", denied = "Denied" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AlbMtls"
        metric_name = metric_query.value
        dimensions  = local.of_service
        period      = 300
        stat        = "Sum"
      }
    }
  }
}

# The metric has a dimension for each source.
resource "aws_cloudwatch_metric_alarm" "refused_crls" {
  count = local.refreshes_crls ? 1 : 0

  alarm_name          = "${var.name}-refused-crls"
  alarm_description   = "A CRL was not published, because it could not be fetched or must not be used"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id          = "failures"
    label       = "CRLs that were not refreshed"
    expression  = "SELECT MAX(CrlRefreshFailure) FROM SCHEMA(AlbMtls, source)"
    period      = 300
    return_data = true
  }
}
