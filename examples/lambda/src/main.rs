//! The gate in front of a function of your own: `lambda_http::run(service_fn(hello))` becomes
//! `alb_mtls_lambda::serve(…)`.

use std::convert::Infallible;
use std::process::ExitCode;

use alb_mtls_gate::VerifiedClient;
use lambda_http::http::{Request, Response};
use lambda_http::{Body, tower::service_fn};

async fn hello(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let client = request.extensions().get::<VerifiedClient>();
    let name = client.map_or_else(
        || "nobody".to_owned(),
        |client| client.identity().subject.to_string(),
    );
    Ok(Response::new(Body::from(format!("hello {name}\n"))))
}

fn main() -> ExitCode {
    let serve = alb_mtls_lambda::serve(service_fn(hello));
    alb_mtls_lambda::start("Says hello to the client.", &[&alb_mtls_gate::SETTINGS], serve)
}
