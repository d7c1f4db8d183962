//! Certificates from real handshakes: a load balancer here hands each client's chain to this
//! program, which asks the function about it as API Gateway would.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
use alb_mtls_verifier::Rejection;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use local_alb::{
    ClientCertificateHeaderCopies, Listener, LocalAlb, LocalAlbError, PemFileError, Target, TargetGroup,
};
use test_pki::Certificate;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Authorizer, Place};
use crate::event::api_gateway::ApiRequest;

/// Everything that a load balancer can send.
const LIMITS: HeaderLimits = HeaderLimits {
    max_bytes: 65_536,
    max_certificates: 16,
};

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),

    #[error(
        "{0}; make a demo PKI with `alb-mtls pki init`, or name other files with `--server-certificate` and `--server-key`"
    )]
    ServerFiles(#[from] PemFileError),

    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),

    #[error(transparent)]
    Start(#[from] LocalAlbError),
}

/// Serves until Ctrl-C, or what `kill` sends.
pub(super) async fn serve(
    address: SocketAddr,
    (certificate, key): (&Path, &Path),
    authorizer: Arc<Authorizer>,
) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Signals)?;
    let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(Failure::Listen)?;
    let group = TargetGroup::new(
        "authorize",
        Target::Http(target.local_addr().map_err(Failure::Listen)?),
    );
    // With the client's own copies each certificate would be refused for being there twice.
    let listener = Listener::from_pem_files(certificate, key)?
        .address(address)
        .client_header_copies(ClientCertificateHeaderCopies::Strip);
    let alb = LocalAlb::start(listener, vec![group]).await?;
    // A closed terminal does not stop the server.
    let _ = writeln!(io::stdout(), "listening on https://{}", alb.address());
    tokio::select! {
        () = answer_all(target, &authorizer) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    alb.stop().await;
    authorizer.environment.stop().await;
    Ok(())
}

async fn answer_all(target: TcpListener, authorizer: &Arc<Authorizer>) {
    loop {
        // A connection can end before it is accepted.
        let Ok((stream, _)) = target.accept().await else {
            continue;
        };
        let authorizer = Arc::clone(authorizer);
        let service = service_fn(move |request| {
            let authorizer = Arc::clone(&authorizer);
            async move { Ok::<_, Infallible>(answer(&request, &authorizer).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: &Request<Incoming>, authorizer: &Authorizer) -> Response<Full<Bytes>> {
    let decisions = match to_api_request(request, authorizer.place) {
        Ok(request) => authorizer.decide_all(&request).await,
        Err(rejection) => return text(StatusCode::BAD_GATEWAY, &rejection.to_string()),
    };
    match decisions {
        // Text and what was JSON before always serialise.
        Ok(decisions) => json(serde_json::to_string_pretty(&decisions).unwrap_or_default() + "\n"),
        Err(failure) => text(StatusCode::BAD_GATEWAY, &failure.to_string()),
    }
}

/// Returns the request as it would have reached API Gateway: with its leaf alone where that ends
/// TLS.
fn to_api_request(request: &Request<Incoming>, place: Place) -> Result<ApiRequest, Rejection> {
    let presented: Vec<&[u8]> = request
        .headers()
        .get_all(CERTIFICATE_HEADER)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let client_certificate = match (place, presented.as_slice()) {
        (Place::ClientCert, [_, ..]) => {
            let values = HeaderValues {
                certificate: &presented,
                chain: &[],
            };
            let chain = HeaderFormat::URL_ENCODED.decode(values, LIMITS)?;
            Some(Certificate::from_der(chain.end_entity().as_ref()))
        }
        _ => None,
    };
    let headers = request.headers().iter();
    Ok(ApiRequest {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().map(str::to_owned),
        headers: headers
            .filter(|(name, _)| place == Place::Header || *name != CERTIFICATE_HEADER)
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                (name.to_string(), value.into_owned())
            })
            .collect(),
        client_certificate,
    })
}

fn json(body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{body}\n")));
    *response.status_mut() = status;
    response
}
