//! The settings of the server beyond the gate's own.

use std::ops::RangeInclusive;
use std::time::Duration;

use alb_mtls_gate::{Peers, TargetGroups};
use alb_mtls_http::IdentityForms;
use alb_mtls_http::forms::WRITTEN;
use alb_mtls_proxy::Upstream;
use alb_mtls_settings::{SettingsError, Values, list, process_environment, table, text};

use crate::listener::{Limits, ListenAddress};
use crate::proxy::BodyLimits;
use crate::traces::TraceSettings;

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) gate: alb_mtls_gate::Settings,
    /// Settings of the upstreams, where there is a reverse proxy.
    pub(crate) upstreams: Option<alb_mtls_proxy::Settings>,
    pub(crate) server: ServerSettings,
}

/// Settings of the server itself.
#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    /// Address of the reverse proxy.
    pub(crate) proxy: Option<ListenAddress>,
    /// Address of the authorization service.
    pub(crate) authorize: Option<ListenAddress>,
    /// Networks of the proxies that may ask the authorization service over TCP.
    pub(crate) authorize_peers: Peers,
    /// Address of health checks.
    pub(crate) admin: Option<ListenAddress>,
    /// Forms in which services learn who the client is.
    pub(crate) identity: IdentityForms,
    pub(crate) limits: Limits,
    pub(crate) body_limits: BodyLimits,
    pub(crate) traces: TraceSettings,
    /// Time from the signal to end to the end of service.
    pub(crate) drain: Duration,
}

table! {
    /// Every variable of the server's own, in the order of the documentation.
    pub(crate) SETTINGS, "SERVER_";
    LISTEN, "SERVER_LISTEN", Value("0.0.0.0:8080"),
        "address of the reverse proxy, or `off`";
    AUTHORIZE_LISTEN, "SERVER_AUTHORIZE_LISTEN", Value("off"),
        "address of the authorization service: `off`, an IP address and a port such as `127.0.0.1:9002`, or `unix:/path` of a socket whose file permissions say who may ask";
    AUTHORIZE_PEERS, "SERVER_AUTHORIZE_PEERS", Value("127.0.0.0/8 ::1/128"),
        "networks of the proxies that may ask the authorization service, separated by white space, or `any`; connections of others are closed";
    ADMIN_LISTEN, "SERVER_ADMIN_LISTEN", Value("0.0.0.0:9901"),
        "address of the health checks `/livez` and `/readyz`, which tell states alone, and of `/metrics` for Prometheus; or `off`";
    AUTHORIZE_IDENTITY, "SERVER_AUTHORIZE_IDENTITY", Value("verify-mode,rfc9440,extensions"),
        text!("headers of the authorization service that tell who the client is, separated by commas: ", list!(WRITTEN), "; or `none`");
    ALLOW_DEFAULT_HEADER, "SERVER_ALLOW_DEFAULT_HEADER", Value("false"),
        "`true`: the server starts although MTLS_HEADER has its default name, into which a client without a certificate can copy another's chain";
    MAX_CONNECTIONS, "SERVER_MAX_CONNECTIONS", Value("8192"),
        "connections of one address at a time; more of them wait until one ends";
    HEADER_TIMEOUT, "SERVER_HEADER_TIMEOUT", Value("10s"),
        "longest time from the first byte of a request to the end of its headers, in HTTP/1.1";
    IDLE_TIMEOUT, "SERVER_IDLE_TIMEOUT", Value("75s"),
        "how long a connection without a request stays open; longer than the idle timeout of the load balancer (60 s), which would otherwise send a request on a connection that just closes, and answer 502";
    MAX_HEADERS, "SERVER_MAX_HEADERS", Value("131072"),
        "bytes of the headers of a request, from 8192 to 1048576; a load balancer sends 64 KB at most";
    MAX_BODY, "SERVER_MAX_BODY", Value("off"),
        "most bytes of the body of a request that the reverse proxy passes on, or `off`";
    TRACES, "SERVER_TRACES", Value("off"),
        "address of an OpenTelemetry collector that a span of each request is sent to, by OTLP over HTTP in Protocol Buffers, such as `http://127.0.0.1:4318/v1/traces`; or `off`. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES hold for the spans";
    TRACES_SHARE, "SERVER_TRACES_SHARE", Value("100%"),
        "share of the traces that are sent; a caller can have its trace left out by `traceparent`, and cannot have it sent";
    DRAIN, "SERVER_DRAIN", Value("15s"),
        "how long requests are still served after SIGTERM, while `/readyz` answers 503 and the load balancer deregisters the target; then connections end when their requests do, 10 s later at the latest";
}

/// A sum of such times never overflows.
const UP_TO_AN_HOUR: RangeInclusive<u64> = 1..=3_600;

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        let prefixes = [
            SETTINGS.prefix,
            alb_mtls_gate::SETTINGS.prefix,
            alb_mtls_proxy::SETTINGS.prefix,
        ];
        Self::from_variables(process_environment(&prefixes)?)
    }

    fn from_variables(variables: Vec<(String, String)>) -> Result<Self, SettingsError> {
        let gate = alb_mtls_gate::Settings::from_variables(variables.clone())?;
        let values = Values::new(&SETTINGS, variables.clone())?;
        let proxy = listen_address(&values, LISTEN)?;
        let authorize = listen_address(&values, AUTHORIZE_LISTEN)?;
        if proxy.is_none() && authorize.is_none() {
            let takes = "an address while SERVER_AUTHORIZE_LISTEN is `off`";
            return Err(values.wrong(LISTEN, takes));
        }
        if matches!(proxy, Some(ListenAddress::Unix(_))) {
            let takes = "an IP address and a port, such as `0.0.0.0:8080`: a load balancer connects over TCP";
            return Err(values.wrong(LISTEN, takes));
        }
        match &authorize {
            None => values.refuse_set(
                &[AUTHORIZE_PEERS, AUTHORIZE_IDENTITY],
                "without SERVER_AUTHORIZE_LISTEN",
            )?,
            Some(ListenAddress::Unix(_)) => {
                let without = "without TCP: the permissions of a socket's file say who may ask";
                values.refuse_set(&[AUTHORIZE_PEERS], without)?;
            }
            Some(ListenAddress::Tcp(_)) => {}
        }
        let upstreams = match proxy {
            Some(_) => Some(upstreams(variables)?),
            None => {
                let names: Vec<&'static str> = alb_mtls_proxy::SETTINGS
                    .variables
                    .iter()
                    .map(|variable| variable.name)
                    .collect();
                let upstreams = Values::new(&alb_mtls_proxy::SETTINGS, variables)?;
                upstreams.refuse_set(&names, "without SERVER_LISTEN")?;
                values.refuse_set(&[MAX_BODY], "without SERVER_LISTEN")?;
                None
            }
        };
        check_peers(&gate, proxy.is_some())?;
        let traces = traces(&values)?;
        check_header(&gate, &values)?;
        let server = ServerSettings {
            proxy,
            authorize,
            authorize_peers: values.parsed_required(AUTHORIZE_PEERS)?,
            admin: listen_address(&values, ADMIN_LISTEN)?,
            identity: values.parsed_required(AUTHORIZE_IDENTITY)?,
            limits: Limits {
                connections: values.number(MAX_CONNECTIONS, 1..=1_000_000)?,
                header_timeout: values.duration(HEADER_TIMEOUT, UP_TO_AN_HOUR)?,
                idle_timeout: values.duration(IDLE_TIMEOUT, UP_TO_AN_HOUR)?,
                header_bytes: values.number(MAX_HEADERS, 8_192..=1_048_576)?,
            },
            body_limits: BodyLimits {
                request: match values.get(MAX_BODY) {
                    Some("off") => None,
                    _ => Some(values.number(MAX_BODY, 0..=1 << 30)?),
                },
                tunnel_idle: values.duration(IDLE_TIMEOUT, UP_TO_AN_HOUR)?,
            },
            traces,
            drain: values.duration(DRAIN, 0..=3_600)?,
        };
        Ok(Self {
            gate,
            upstreams,
            server,
        })
    }
}

fn upstreams(variables: Vec<(String, String)>) -> Result<alb_mtls_proxy::Settings, SettingsError> {
    let settings = alb_mtls_proxy::Settings::from_variables(variables)?;
    let function = settings
        .upstreams()
        .find(|upstream| matches!(upstream, Upstream::Function(_)));
    match function {
        None => Ok(settings),
        Some(function) => Err(SettingsError::Wrong {
            name: "FORWARD_UPSTREAM",
            value: function.to_string(),
            takes: "servers, here and in FORWARD_ROUTES: a function is called by the function `forward`, which has the \
                    load balancer's event"
                .to_owned(),
        }),
    }
}

fn listen_address(values: &Values, name: &'static str) -> Result<Option<ListenAddress>, SettingsError> {
    match values.get(name) {
        Some("off") => Ok(None),
        _ => values.parsed(name),
    }
}

fn traces(values: &Values) -> Result<TraceSettings, SettingsError> {
    let collector = match values.get(TRACES) {
        Some("off") => None,
        _ if cfg!(feature = "otlp") => values.parsed(TRACES)?,
        _ => {
            let takes = "`off` alone, because this program was built without traces (cargo feature `otlp`)";
            return Err(values.wrong(TRACES, takes));
        }
    };
    if collector.is_none() {
        values.refuse_set(&[TRACES_SHARE], "without SERVER_TRACES")?;
    }
    Ok(TraceSettings {
        collector,
        share: values.parsed_required(TRACES_SHARE)?,
    })
}

/// Checks the settings about where requests come from: a proxy that is open to every network is a
/// choice that the operator has to make.
fn check_peers(gate: &alb_mtls_gate::Settings, has_proxy: bool) -> Result<(), SettingsError> {
    const PEERS: &str = "MTLS_PEERS";
    if gate.gate.target_groups != TargetGroups::Any {
        return Err(SettingsError::Useless {
            name: "MTLS_TARGET_GROUPS",
            without: "without Lambda events, which name target groups: set MTLS_PEERS",
        });
    }
    match (&gate.gate.peers, has_proxy) {
        (Some(_), false) => Err(SettingsError::Useless {
            name: PEERS,
            without: "without SERVER_LISTEN: a proxy that asks checks itself where requests come from",
        }),
        (None, true) => Err(SettingsError::Missing {
            name: PEERS,
            meaning: "networks of the load balancer's subnets, such as `10.0.0.0/20`, or `any` if something else keeps other \
                      senders away",
        }),
        _ => Ok(()),
    }
}

/// Refuses the name of the certificate header that every client knows.
fn check_header(gate: &alb_mtls_gate::Settings, values: &Values) -> Result<(), SettingsError> {
    let gate = &gate.gate;
    let is_default = gate.has_default_header() || gate.header == gate.header_format.default_header();
    let is_allowed = values.word(ALLOW_DEFAULT_HEADER, &[false, true], |allow| {
        if allow { "true" } else { "false" }
    })?;
    match (is_default, is_allowed) {
        (true, false) => Err(SettingsError::Wrong {
            name: "MTLS_HEADER",
            value: gate.header.as_str().to_owned(),
            takes: "a name that only you know, to which the listener attribute \
                    routing.http.request.x_amzn_mtls_clientcert.header_name is set too, because a client without a \
                    certificate can copy another's chain into the default header (SERVER_ALLOW_DEFAULT_HEADER=true starts \
                    the server anyway)"
                .to_owned(),
        }),
        (false, true) => values.refuse_set(
            &[ALLOW_DEFAULT_HEADER],
            "without the default name in MTLS_HEADER",
        ),
        _ => Ok(()),
    }
}
