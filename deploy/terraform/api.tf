# An API with the authorizer: deploy/sam/api.yaml as a part of the module.

locals {
  makes_http_api = var.api_gateway == "http"
  makes_rest_api = var.api_gateway == "rest"
}

# Only a custom domain with mutual TLS asks for a certificate; the default endpoint would be a way around it.
resource "aws_apigatewayv2_api" "gate" {
  count = local.makes_http_api ? 1 : 0

  name                         = "${var.name}-api"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = true
  tags                         = var.tags
}

resource "aws_apigatewayv2_authorizer" "gate" {
  count = local.makes_http_api ? 1 : 0

  api_id                            = aws_apigatewayv2_api.gate[0].id
  name                              = "client-certificate"
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = aws_lambda_function.gate.invoke_arn
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = true
  # No documented cache key contains the certificate: from a cache, one client would get another's verdict.
  authorizer_result_ttl_in_seconds = 0
}

resource "aws_lambda_permission" "api" {
  count = var.api_gateway == null ? 0 : 1

  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.gate.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn = (
    local.makes_http_api
    ? "${aws_apigatewayv2_api.gate[0].execution_arn}/authorizers/${aws_apigatewayv2_authorizer.gate[0].id}"
    : "${aws_api_gateway_rest_api.gate[0].execution_arn}/authorizers/${aws_api_gateway_authorizer.gate[0].id}"
  )
}

# A route of every path does not contain the root.
resource "aws_apigatewayv2_integration" "upstream" {
  for_each = local.makes_http_api ? { every = "/{proxy}", root = "/" } : {}

  api_id                 = aws_apigatewayv2_api.gate[0].id
  integration_type       = "HTTP_PROXY"
  integration_method     = "ANY"
  integration_uri        = "${var.api_upstream}${each.value}"
  payload_format_version = "1.0"
}

resource "aws_apigatewayv2_route" "upstream" {
  for_each = local.makes_http_api ? { every = "ANY /{proxy+}", root = "ANY /" } : {}

  api_id             = aws_apigatewayv2_api.gate[0].id
  route_key          = each.value
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.gate[0].id
  target             = "integrations/${aws_apigatewayv2_integration.upstream[each.key].id}"
}

resource "aws_apigatewayv2_stage" "gate" {
  count = local.makes_http_api ? 1 : 0

  api_id      = aws_apigatewayv2_api.gate[0].id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags
  depends_on  = [aws_apigatewayv2_route.upstream, aws_lambda_permission.api]
}

# Mutual TLS is for Regional custom domains alone.
resource "aws_api_gateway_rest_api" "gate" {
  count = local.makes_rest_api ? 1 : 0

  name                         = "${var.name}-api"
  disable_execute_api_endpoint = true
  tags                         = var.tags

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_authorizer" "gate" {
  count = local.makes_rest_api ? 1 : 0

  rest_api_id    = aws_api_gateway_rest_api.gate[0].id
  name           = "client-certificate"
  type           = "REQUEST"
  authorizer_uri = aws_lambda_function.gate.invoke_arn
  # As above; without this line API Gateway would cache for 300 seconds.
  authorizer_result_ttl_in_seconds = 0
  # API Gateway itself answers a request without its identity source with 401, and the provider's default is the header
  # Authorization, which clients with certificates do not send (hashicorp/terraform-provider-aws#12069). Every request has an address.
  identity_source = "context.identity.sourceIp"
}

# Answers by itself, with the fingerprint of the client's public key: put your own methods in its place.
resource "aws_api_gateway_method" "root" {
  count = local.makes_rest_api ? 1 : 0

  rest_api_id   = aws_api_gateway_rest_api.gate[0].id
  resource_id   = aws_api_gateway_rest_api.gate[0].root_resource_id
  http_method   = "GET"
  authorization = "CUSTOM"
  authorizer_id = aws_api_gateway_authorizer.gate[0].id
}

resource "aws_api_gateway_integration" "root" {
  count = local.makes_rest_api ? 1 : 0

  rest_api_id          = aws_api_gateway_rest_api.gate[0].id
  resource_id          = aws_api_gateway_rest_api.gate[0].root_resource_id
  http_method          = aws_api_gateway_method.root[0].http_method
  type                 = "MOCK"
  passthrough_behavior = "NEVER"
  request_templates    = { "application/json" = jsonencode({ statusCode = 200 }) }
}

resource "aws_api_gateway_method_response" "root" {
  count = local.makes_rest_api ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.gate[0].id
  resource_id = aws_api_gateway_rest_api.gate[0].root_resource_id
  http_method = aws_api_gateway_method.root[0].http_method
  status_code = "200"
}

resource "aws_api_gateway_integration_response" "root" {
  count = local.makes_rest_api ? 1 : 0

  rest_api_id        = aws_api_gateway_rest_api.gate[0].id
  resource_id        = aws_api_gateway_rest_api.gate[0].root_resource_id
  http_method        = aws_api_gateway_method.root[0].http_method
  status_code        = aws_api_gateway_method_response.root[0].status_code
  response_templates = { "application/json" = jsonencode({ principal = "$context.authorizer.principalId" }) }
  depends_on         = [aws_api_gateway_integration.root]
}

# A deployment is a copy: it is made again when something of the API changes.
resource "aws_api_gateway_deployment" "gate" {
  count = local.makes_rest_api ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.gate[0].id
  triggers = {
    methods = sha256(jsonencode([
      aws_api_gateway_authorizer.gate[0],
      aws_api_gateway_method.root[0],
      aws_api_gateway_integration.root[0],
      aws_api_gateway_integration_response.root[0],
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "gate" {
  count = local.makes_rest_api ? 1 : 0

  rest_api_id   = aws_api_gateway_rest_api.gate[0].id
  deployment_id = aws_api_gateway_deployment.gate[0].id
  stage_name    = "live"
  tags          = var.tags
  depends_on    = [aws_lambda_permission.api]
}
