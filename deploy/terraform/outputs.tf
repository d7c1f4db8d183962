output "load_balancer_dns_name" {
  description = "Name of the load balancer, to point your own name at"
  value       = aws_lb.gate.dns_name
}

output "listener_arn" {
  description = "ARN of the HTTPS listener"
  value       = aws_lb_listener.https.arn
}

output "target_group_arn" {
  description = "ARN of the target group that the HTTPS listener forwards to"
  value       = aws_lb_target_group.gate.arn
}

output "certificate_header" {
  description = "Name of the certificate header, for a WAF rule, and for the attribute of another listener that forwards to the target group; keep it to yourself"
  value       = local.certificate_header
}

output "function_name" {
  description = "Name of the function behind that target group"
  value       = aws_lambda_function.gate.function_name
}

output "log_group_name" {
  description = "Name of the log group with that function's decision records"
  value       = aws_cloudwatch_log_group.gate.name
}

output "role_name" {
  description = "Role of the function, for the permissions that more sources need"
  value       = aws_iam_role.gate.name
}

output "try_it" {
  description = "A first request; NAME is a name in the server's certificate"
  value       = "curl --connect-to NAME:443:${aws_lb.gate.dns_name}:443 --cert client.pem --key client.key https://NAME/"
}
