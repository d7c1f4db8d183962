# Decisions, trust material and load at a glance.

locals {
  widgets = concat([
    {
      title = "Decisions", stat = "Sum"
      metrics = [
        ["AlbMtls", "Allowed", "service", var.name],
        [".", "Denied", ".", "."],
        [".", "ShadowDifferences", ".", "."],
      ]
    },
    {
      title = "Refusals by reason", stat = "Sum"
      metrics = [
        [{ id = "codes", expression = "SEARCH('{AlbMtls,service,code} MetricName=\"Denied\" service=\"${var.name}\"', 'Sum', 300)" }],
      ]
    },
    {
      title = "Time of a decision", stat = "p50"
      metrics = [
        ["AlbMtls", "VerifyLatency", "service", var.name],
        ["...", { stat = "p99" }],
        [".", "CacheHits", ".", ".", { stat = "Sum", yAxis = "right" }],
      ]
    },
    {
      title = "Trust material", stat = "Maximum"
      metrics = [
        ["AlbMtls", "TrustAge", "service", var.name],
        [".", "TrustRefreshFailures", ".", ".", { stat = "Sum", yAxis = "right" }],
      ]
    },
    {
      title = "What expires next", stat = "Minimum"
      metrics = [
        ["AlbMtls", "AnchorDaysLeft", "service", var.name],
        [".", "ClientDaysLeft", ".", "."],
        [".", "CrlSecondsLeft", ".", ".", { yAxis = "right" }],
      ]
    },
    ], !local.has_load_balancer ? [] : [
    {
      title = "Load balancer", stat = "Sum"
      metrics = [
        ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", local.load_balancer],
        [".", "HTTPCode_Target_4XX_Count", ".", "."],
        [".", "HTTPCode_Target_5XX_Count", ".", "."],
        [".", "HTTPCode_ELB_5XX_Count", ".", "."],
        [".", "ClientTLSNegotiationErrorCount", ".", "."],
      ]
    },
    ], [
    {
      title = "Function", stat = "Sum"
      metrics = [
        ["AWS/Lambda", "Invocations", "FunctionName", aws_lambda_function.gate.function_name],
        [".", "Errors", ".", "."],
        [".", "Throttles", ".", "."],
        [".", "Duration", ".", ".", { stat = "p99", yAxis = "right" }],
      ]
    },
  ])

  refusals = "SOURCE '${aws_cloudwatch_log_group.gate.name}' | filter message = 'decision' and decision = 'denied' | stats count() as requests by code, detail, client.subject | sort requests desc | limit 50"
}

resource "aws_cloudwatch_dashboard" "gate" {
  dashboard_name = "${var.name}-${local.region}"
  dashboard_body = jsonencode({
    widgets = concat(
      [
        for index, widget in local.widgets : {
          type   = "metric"
          x      = index % 3 * 8
          y      = floor(index / 3) * 6
          width  = 8
          height = 6
          properties = {
            title   = widget.title
            region  = local.region
            stat    = widget.stat
            period  = 300
            metrics = widget.metrics
          }
        }
      ],
      [{
        type       = "log"
        x          = 8
        y          = 12
        width      = 16
        height     = 6
        properties = { title = "Refused, and why", region = local.region, view = "table", query = local.refusals }
      }],
    )
  })
}
