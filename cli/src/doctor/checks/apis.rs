//! Checks of APIs in API Gateway that the gate authorizes.

use super::{Checks, remedy};
use crate::doctor::facts::{Api, Authorization, Authorizer, Function, Knowledge, Route};
use crate::doctor::rules;
use crate::doctor::text;

impl Checks<'_> {
    pub(super) fn authorizers(&mut self) {
        let deployment = self.deployment;
        for authorizer in &deployment.authorizers {
            let Some(function) = deployment.gate(&authorizer.function) else {
                if text::is_unknown(&authorizer.function) {
                    self.miss(
                        rules::UNKNOWN_TARGET,
                        &authorizer.place,
                        &authorizer.name,
                        &format!("its function `{}` is not among the files", authorizer.function),
                        &remedy(&authorizer.function),
                    );
                }
                continue;
            };
            let seconds = &authorizer.seconds;
            if text::is_unknown(seconds) {
                self.miss(
                    rules::UNKNOWN_VALUE,
                    &authorizer.place,
                    &authorizer.name,
                    &format!("keeps answers for `{seconds}` seconds, which is not known"),
                    &remedy(seconds),
                );
            } else if seconds.parse::<f64>() != Ok(0.0) {
                self.find(
                    &rules::AUTHORIZER_CACHED,
                    &authorizer.place,
                    &authorizer.name,
                    &format!("keeps answers for {seconds} seconds"),
                );
            }
            self.default_endpoints(authorizer, function);
        }
    }

    fn default_endpoints(&mut self, authorizer: &Authorizer, function: &Function) {
        let certificate = function.variables.get("AUTHORIZE_CERTIFICATE");
        if certificate.is_some_and(|place| place == "header") {
            return;
        }
        let apis = self.deployment.apis.iter();
        for api in apis.filter(|api| uses(authorizer, &api.name)) {
            self.default_endpoint(api);
        }
    }

    fn default_endpoint(&mut self, api: &Api) {
        match &api.has_default_endpoint {
            Knowledge::Known(false) => {}
            Knowledge::Known(true) => self.find(
                &rules::DEFAULT_ENDPOINT,
                &api.place,
                &api.name,
                "its default endpoint is on",
            ),
            Knowledge::Unknown(value) => self.miss(
                rules::UNKNOWN_VALUE,
                &api.place,
                &api.name,
                "whether its default endpoint is on is not known",
                &remedy(value),
            ),
        }
    }

    /// Checks that every route of an API with the authorizer uses it.
    pub(super) fn routes(&mut self) {
        let deployment = self.deployment;
        for route in &deployment.routes {
            let mut apis = deployment.apis.iter();
            let is_of_messages =
                route.is_default && apis.any(|api| api.name == route.api && api.is_websocket);
            if is_of_messages {
                continue;
            }
            let authorizers = deployment.authorizers.iter();
            let own: Vec<&Authorizer> = authorizers
                .filter(|authorizer| uses(authorizer, &route.api))
                .filter(|authorizer| deployment.gate(&authorizer.function).is_some())
                .collect();
            if !own.is_empty() {
                self.route(route, &own);
            }
        }
    }

    fn route(&mut self, route: &Route, own: &[&Authorizer]) {
        match &route.authorization {
            Authorization::None => self.find(
                &rules::ROUTE_WITHOUT_AUTHORIZER,
                &route.place,
                &route.name,
                "has no authorizer",
            ),
            Authorization::Authorizer(name) if own.iter().any(|authorizer| is_named(authorizer, name)) => {}
            Authorization::Authorizer(name) if text::is_unknown(name) => self.miss(
                rules::UNKNOWN_VALUE,
                &route.place,
                &route.name,
                &format!("its authorizer `{name}` is not known"),
                &remedy(name),
            ),
            Authorization::Authorizer(other) | Authorization::Other(other) => self.find(
                &rules::ROUTE_OTHER_AUTHORIZER,
                &route.place,
                &route.name,
                &format!("is authorized by `{other}`"),
            ),
        }
    }
}

/// Returns true if an authorizer is that of an API; the answers of the AWS command line do not say.
fn uses(authorizer: &Authorizer, api: &str) -> bool {
    authorizer.api == api || authorizer.api.is_empty()
}

/// Returns true if a route's authorizer is this one, by its id or by its name within the API.
fn is_named(authorizer: &Authorizer, name: &str) -> bool {
    let own = &authorizer.name;
    let within = own.rsplit_once('/').map_or(own.as_str(), |(_, within)| within);
    own == name || (within == name && own.starts_with(&format!("{}/", authorizer.api)))
}
