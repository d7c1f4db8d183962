//! The rules: what opens a gate that is right but wired wrong, and how to close it.
//! `docs/doctor.md` is made from this table.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Severity {
    /// Opens the gate, or leaves it out.
    Error,
    /// Makes it unreliable, or an incident hard to look into.
    Warning,
    /// Worth a decision of the operator.
    Advice,
}

impl Severity {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Stable name, in kebab case.
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    pub(super) what: &'static str,
    pub(super) why: &'static str,
    pub(super) fix: &'static str,
    /// Page of AWS or of this project that states the rule.
    pub(super) source: &'static str,
}

/// Something that could not be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
}

macro_rules! rules {
    ($all:ident: $($name:ident = $id:literal, $severity:ident, $what:literal, $why:literal, $fix:literal, $source:literal;)+) => {
        $(pub(super) static $name: Rule = Rule {
            id: $id,
            severity: Severity::$severity,
            what: $what,
            why: $why,
            fix: $fix,
            source: $source,
        };)+
        pub(super) static $all: &[&Rule] = &[$(&$name),+];
    };
}

rules! { RULES:
    LISTENER_WITHOUT_MUTUAL_TLS = "listener-without-mutual-tls", Error,
        "a listener or a rule forwards to the gate without mutual TLS",
        "clients did not prove that they own the private key: one that copies a public certificate into the header can pass as its owner",
        "let this listener only redirect, or give it MutualAuthentication with Mode passthrough",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html";
    LISTENER_NOT_PASSTHROUGH = "listener-not-passthrough", Error,
        "a listener in verify mode forwards to the gate",
        "in verify mode the load balancer does not write the header that the gate reads, so that what it reads comes from the client",
        "set the Mode of the listener's MutualAuthentication to passthrough",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html";
    TARGET_WITHOUT_GATE = "target-without-gate", Error,
        "a listener in passthrough mode forwards to a function or container that verifies nothing",
        "passthrough mode accepts every certificate, self-signed ones too: behind it, something has to verify the chain",
        "put the gate before the target (MTLS_ANCHORS, and the layer for a function of your own), or forward to the gate",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html";
    DEFAULT_CERTIFICATE_HEADER = "default-certificate-header", Error,
        "the certificate header has its default name",
        "a client without a certificate passes as another one if it copies their public chain into the header and the load balancer passes that on: AWS does not say that it is removed, and MTLS_TARGET_GROUPS does not help",
        "set the listener attribute routing.http.request.x_amzn_mtls_clientcert.header_name to a name that only you know, and MTLS_HEADER to the same",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html";
    HEADER_NAME_DIFFERS = "header-name-differs", Error,
        "the gate reads another header than the listener writes",
        "the header that the gate reads is one that clients write: a public certificate in it is taken for a proof",
        "set MTLS_HEADER and the listener's attribute to the same name, in one deployment",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html";
    SINGLE_VALUE_HEADERS = "single-value-headers", Error,
        "a target group of the gate has multi-value headers off",
        "of two certificate headers the function sees only the last: the client's own cannot be told from the load balancer's",
        "set the attribute lambda.multi_value_headers.enabled to true",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html";
    TARGET_GROUPS_UNSET = "target-groups-unset", Error,
        "MTLS_TARGET_GROUPS is not set, or includes every target group",
        "a function that is registered in another target group, behind a listener without mutual TLS, has a way around the handshake",
        "set MTLS_TARGET_GROUPS to the ARN of the target group behind the listener in passthrough mode",
        "docs/reference/settings.md";
    MODE_REPORT = "mode-report", Error,
        "MTLS_MODE is report",
        "every request passes, with or without a certificate",
        "set MTLS_MODE to enforce once the records show which clients it would reject",
        "docs/migration.md";
    ANCHORS_EMPTY = "anchors-empty", Error,
        "MTLS_ANCHORS is empty",
        "a gate without trust anchors does not start, and a layer that does not start leaves the function to itself or the service down",
        "set MTLS_ANCHORS to the sources of the trust anchors, such as ssm:/gate/anchors/*",
        "docs/reference/settings.md";
    WRAPPER_IGNORED = "wrapper-ignored", Error,
        "AWS_LAMBDA_EXEC_WRAPPER is set on a `provided` runtime",
        "Lambda ignores it there without a word, and the function runs without the gate",
        "end the function's `bootstrap` with `exec /opt/alb-mtls ./my-function`, and remove the variable",
        "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html";
    WRAPPER_MISSING = "wrapper-missing", Error,
        "a function in a language runtime has settings of the gate and no wrapper",
        "a layer that no wrapper starts does nothing, and the function runs without the gate",
        "set AWS_LAMBDA_EXEC_WRAPPER to /opt/alb-mtls",
        "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html";
    WRAPPER_REPLACED = "wrapper-replaced", Error,
        "AWS_LAMBDA_EXEC_WRAPPER is the wrapper of another layer",
        "Lambda starts one wrapper: that one, and the function runs without the gate",
        "set AWS_LAMBDA_EXEC_WRAPPER to /opt/alb-mtls, and LAYER_NEXT_WRAPPER to the other wrapper",
        "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html";
    ADAPTER_UNROUTED = "adapter-unrouted", Error,
        "Lambda Web Adapter is not led through the gate",
        "the adapter is an extension, which no wrapper starts, and fetches requests from Lambda past the gate",
        "set LAYER_LISTEN and AWS_LWA_LAMBDA_RUNTIME_API_PROXY to one address, such as 127.0.0.1:9009, and LAYER_NEXT_WRAPPER to /opt/bootstrap",
        "docs/layer.md";
    LAYER_ORDER = "layer-order", Error,
        "a layer comes after that of the gate",
        "a file in a later layer takes the place of one of the same name, /opt/alb-mtls too",
        "make the layer of the gate the last one in the list",
        "https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html";
    TIMEOUT_SHORT = "timeout-short", Warning,
        "the function's timeout is shorter than 6 seconds",
        "a lookup of trust material can take 5 seconds: Lambda ends the function meanwhile, and clients get 502",
        "set Timeout to 6 seconds or more",
        "docs/layer.md";
    FUNCTION_URL = "function-url", Error,
        "the function has a URL of its own, or may be called through one",
        "requests reach the function past the load balancer, where no handshake asks for a certificate",
        "delete the URL and the permissions for it",
        "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";
    PERMISSION_TOO_WIDE = "permission-too-wide", Error,
        "more than one target group or API may invoke the function",
        "others can have the function invoked, with events that contain any certificate they like",
        "name the target group in SourceArn, with its account",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html";
    SOURCE_ACCOUNT = "source-account", Advice,
        "a permission for a load balancer names no SourceAccount",
        "the ARN in SourceArn names the account too; AWS recommends both, so that a mistake in one is not enough",
        "set SourceAccount to the account of the target group",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html";
    AUTHORIZER_CACHED = "authorizer-cached", Error,
        "API Gateway keeps the authorizer's answers",
        "the cache's key does not contain the certificate: one client gets another's verdict, and a revoked one its own old one",
        "set AuthorizerResultTtlInSeconds to 0; left out, REST APIs keep answers for 300 seconds",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html";
    DEFAULT_ENDPOINT = "default-endpoint", Error,
        "the default endpoint of an API with the authorizer is on",
        "the default endpoint does not ask for a certificate: only the custom domain does",
        "set DisableExecuteApiEndpoint to true",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html";
    ROUTE_WITHOUT_AUTHORIZER = "route-without-authorizer", Error,
        "a route or method of an API with the authorizer does not use it",
        "requests for this route reach its target without a verdict on the certificate",
        "set the route's authorization to the authorizer, or make it the API's default",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html";
    ROUTE_OTHER_AUTHORIZER = "route-other-authorizer", Warning,
        "a route or method of an API with the authorizer uses another one",
        "requests for this route are checked, and not by their certificate",
        "set the route's authorization to the authorizer, or accept the route by its name",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html";
    TRUST_BUCKET_PUBLIC = "trust-bucket-public", Error,
        "a bucket with trust material does not block public access",
        "one wrong policy or list lets any caller write trust anchors, and so decide which clients get in",
        "block all four kinds of public access",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html";
    TRUST_BUCKET_UNVERSIONED = "trust-bucket-unversioned", Warning,
        "a bucket with trust material is not versioned",
        "what was trusted at which time cannot be told, and a wrong bundle cannot be taken back",
        "enable versioning",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html";
    TRUST_WRITER = "trust-writer", Error,
        "a policy allows writing trust material",
        "a principal that can write trust anchors or CRLs decides which clients get in",
        "allow no more than reading; refresh-crls alone writes, and only below its CRL_DESTINATION",
        "docs/threat-model.md";
    SOURCE_WITHOUT_PERMISSION = "source-without-permission", Warning,
        "the role of a function may not read one of the function's sources",
        "a gate without its trust anchors, CRLs or policies answers every request with 503, and refresh-crls publishes nothing",
        "allow ssm:GetParametersByPath on the path, ssm:GetParameter on the parameter or s3:GetObject on the object",
        "docs/reference/settings.md, sources";
    INTERMEDIATES_MISSING = "intermediates-missing", Advice,
        "an authorizer, or a refresh-crls with several CRLs, does not know the issuing CAs",
        "API Gateway hands over the client's own certificate alone, and a CRL is verified with the certificate of its CA: with a root and an issuing CA, every client and every CRL of the issuing CA are rejected",
        "set MTLS_INTERMEDIATES and CRL_INTERMEDIATES to the issuing CAs, or accept it where roots issue to clients themselves",
        "docs/your-ca.md";
    SHARED_ANCHORS = "shared-anchors", Advice,
        "a template puts a trust anchor into a path that is the same in every stack",
        "a second stack of the template, such as one for tests, then trusts the same CAs, or cannot be made",
        "put ${AWS::StackName} into the name of the parameter and into MTLS_ANCHORS",
        "docs/your-ca.md";
    MAY_INVOKE = "may-invoke", Advice,
        "a policy allows invoking the function directly",
        "a direct caller writes the whole event, with any certificate in it: the function cannot tell it from the load balancer",
        "allow it to tools that need it alone, and accept them by name",
        "https://docs.aws.amazon.com/lambda/latest/dg/access-control-identity-based.html";
    GATE_BYPASSED = "gate-bypassed", Error,
        "a port or a service leads past the load balancer to a container with a gate, or past the gate to what is behind it",
        "requests arrive without a handshake that asks for a certificate, with any header that the client writes, or without a verdict",
        "remove the port, the listener or the service, and let the load balancer alone reach the gate, and the gate alone what is behind it",
        "docs/threat-model.md";
    SECURITY_GROUP_OPEN = "security-group-open", Error,
        "a security group lets every address reach the containers of a task with a gate",
        "a client that connects to the task itself makes no handshake with the load balancer, and writes the certificate header",
        "allow the security group of the load balancer alone (SourceSecurityGroupId)",
        "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html";
    SECURITY_GROUP_WIDE = "security-group-wide", Warning,
        "a security group lets a network that is larger than a VPC reach the containers of a task with a gate",
        "whatever is in that network connects to the task itself, makes no handshake with the load balancer, and writes the certificate header",
        "allow the security group of the load balancer alone (SourceSecurityGroupId)",
        "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html";
    NETWORK_POLICY_MISSING = "network-policy-missing", Advice,
        "no NetworkPolicy selects the pods with a gate, or those behind one",
        "every pod of the cluster reaches them past the load balancer; MTLS_PEERS alone keeps these out, where their addresses are not in the networks of the load balancer",
        "add a NetworkPolicy that allows the networks of the load balancer's subnets alone",
        "docs/containers.md";
    NETWORK_POLICY_OPEN = "network-policy-open", Advice,
        "a NetworkPolicy allows every pod, or a network that is larger than a VPC, to reach pods with a gate or those behind one",
        "what reaches them past the load balancer makes no handshake that asks for a certificate, and writes the certificate header",
        "allow the networks of the load balancer's subnets alone",
        "docs/containers.md";
    PEERS_ANY = "peers-any", Error,
        "MTLS_PEERS or SERVER_AUTHORIZE_PEERS allows every address, or half of them",
        "a gate in a container takes requests from every address that reaches it for those of the load balancer",
        "name the networks of the load balancer's subnets, or of the proxies",
        "docs/reference/settings.md";
    PEERS_WIDE = "peers-wide", Warning,
        "MTLS_PEERS or SERVER_AUTHORIZE_PEERS allows a network that is larger than a VPC",
        "a gate in a container takes requests from every address of that network for those of the load balancer",
        "name the networks of the load balancer's subnets, or of the proxies",
        "docs/reference/settings.md";
    DEFAULT_HEADER_ALLOWED = "default-header-allowed", Error,
        "SERVER_ALLOW_DEFAULT_HEADER is true",
        "the server then starts with the default header, into which a client without a certificate can copy another one's chain",
        "remove the variable, rename the header at the listener, and set MTLS_HEADER to its name",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html";
    LOG_RETENTION = "log-retention", Warning,
        "the log group of the gate has no retention",
        "records with the names of clients are kept indefinitely, or for too short a time to look into an incident",
        "make the log group with RetentionInDays, and name it in the function's LoggingConfig",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html";
    TLS_POLICY = "tls-policy", Advice,
        "a listener in passthrough mode allows TLS before 1.2",
        "what the handshake proves is as good as its protocol; without SslPolicy, a template gets one of 2016",
        "set SslPolicy to one of TLS 1.3 and 1.2, such as ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html";
    MODE_LEFT_OUT = "mode-left-out", Advice,
        "a condition removes MutualAuthentication from a listener",
        "CloudFormation takes a property that is removed for no change: the listener stays in the mode that it had",
        "write Mode: off where the listener has to be without mutual TLS",
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2497";
    REWRITTEN_REQUEST = "rewritten-request", Advice,
        "a rule rewrites the host or the path before the gate",
        "policies on host and path decide about what the rule made of the request",
        "write policies for the rewritten request, or let the service behind the gate rewrite it",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-transforms.html";
    TOKEN_ACTION = "token-action", Advice,
        "a rule before the gate verifies tokens with the load balancer's jwt-validation",
        "the action does not compare a token with the certificate (RFC 8705): a stolen token passes with any valid certificate",
        "set MTLS_BOUND_TOKEN too where tokens are bound to certificates",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-verify-jwt.html";
}

macro_rules! gaps {
    ($all:ident: $($name:ident = $id:literal, $what:literal;)+) => {
        $(pub(super) const $name: &str = $id;)+
        pub(super) static $all: &[Gap] = &[$(Gap { id: $id, what: $what }),+];
    };
}

gaps! { GAPS:
    UNREADABLE_FILE = "unreadable-file", "a file that cannot be read, or is nothing known";
    OTHER_FILE = "other-file", "a file of another kind, which a command can make readable";
    NESTED_STACK = "nested-stack", "a nested stack or application whose template is not among the files";
    MODULE = "module", "a resource of a module or of another account's making";
    TRANSFORM = "transform", "a macro or transform that runs when the stack is deployed";
    LOOP = "loop", "an Fn::ForEach over values that are not known";
    INTRINSIC = "intrinsic", "a function that is not computed here";
    API_DOCUMENT = "api-document", "an OpenAPI document that is not among the files";
    UNKNOWN_LISTENER = "listener", "a listener that is not among the files, or whose mode is not known";
    UNKNOWN_TARGET_GROUP = "target-group", "a target group that is not among the files";
    UNKNOWN_TARGET = "target", "a target that is not among the files";
    UNKNOWN_VALUE = "value", "a value that decides and is not known: a parameter, an import, an attribute";
    SHARED_LISTENER = "ingress-group", "an Ingress group, which other manifests can add listeners and rules to";
    SERVICE = "service", "a Kubernetes service or workload that is not among the files";
}
