output "load_balancer_dns_name" {
  description = "Name of a new load balancer, to point your own name at"
  value       = one(aws_lb.gate[*].dns_name)
}

output "load_balancer_zone_id" {
  description = "Hosted zone of that name, for an alias record"
  value       = one(aws_lb.gate[*].zone_id)
}

output "listener_arn" {
  description = "ARN of the HTTPS listener"
  value       = local.makes_listener ? one(aws_lb_listener.https[*].arn) : var.listener_arn
}

output "target_group_arn" {
  description = "ARN of the target group of the function"
  value       = one(aws_lb_target_group.gate[*].arn)
}

output "certificate_header" {
  description = "Name of the certificate header, for a WAF rule, and for the attribute of another listener that forwards to the target group; keep it to yourself"
  value       = local.has_load_balancer ? local.certificate_header : null
}

output "api_id" {
  description = "Id of the API, to map a custom domain with mutual TLS to"
  value       = try(coalesce(one(aws_apigatewayv2_api.gate[*].id), one(aws_api_gateway_rest_api.gate[*].id)), null)
}

output "api_stage" {
  description = "Stage of the API, for the same mapping"
  value       = try(coalesce(one(aws_apigatewayv2_stage.gate[*].name), one(aws_api_gateway_stage.gate[*].stage_name)), null)
}

output "function_name" {
  description = "Name of the function behind that target group, or of the authorizer"
  value       = aws_lambda_function.gate.function_name
}

output "role_arn" {
  description = "Role of the function, for a bucket of another account that it reads"
  value       = aws_iam_role.gate.arn
}

output "role_name" {
  description = "Name of the function's role, for the permissions that more sources need"
  value       = aws_iam_role.gate.name
}

output "refresh_crls_function_name" {
  description = "Name of the function that fetches CRLs"
  value       = one(aws_lambda_function.refresh_crls[*].function_name)
}

output "refresh_crls_role_arn" {
  description = "Role of the function that fetches CRLs, for a bucket of another account that it reads"
  value       = one(aws_iam_role.refresh_crls[*].arn)
}

output "function_security_group_id" {
  description = "Security group of functions in subnets, which the upstream must allow"
  value       = one(aws_security_group.function[*].id)
}

output "trust_bucket" {
  description = "Bucket that CRLs are published to"
  value       = one(aws_s3_bucket.trust[*].id)
}

output "log_bucket" {
  description = "Bucket with the load balancer's access and connection logs"
  value       = one(aws_s3_bucket.logs[*].id)
}

output "anchors_parameter_path" {
  description = "Path in Parameter Store whose parameters are the trust anchors"
  value       = local.anchors_path
}

output "log_group_name" {
  description = "Name of the log group with decision records"
  value       = aws_cloudwatch_log_group.gate.name
}

output "watch_it" {
  description = "Shows decision records as they are written"
  value       = "aws logs tail ${aws_cloudwatch_log_group.gate.name} --follow --region ${local.region}"
}

output "try_it" {
  description = "A first request; NAME is a name in the server's certificate"
  value       = local.makes_load_balancer ? "curl --connect-to NAME:${var.listener_port}:${one(aws_lb.gate[*].dns_name)}:${var.listener_port} --cert client.pem --key client.key https://NAME:${var.listener_port}/" : null
}
