//! PolicyInput in Cedar's terms, built without a detour through JSON.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::str::FromStr;

use alb_mtls_http::host::Host;
use alb_mtls_http::path::PlainPath;
use alb_mtls_verifier::{
    ATTRIBUTE_NAMES, AlternativeName, AttributeValue, ClientIdentity, NameAttribute, PAYMENT_ROLES, Timestamp,
};
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};

use crate::cache::EntityCache;
use crate::error::one_line;
use crate::forwarded::SourceAddress;
use crate::input::{PolicyInput, RequestFacts};
use crate::named::Named;
use crate::outcome::PolicyDenial;

/// Most values in all sets of a client together. A header of 64 KiB can contain several thousand
/// names; real certificates have a few dozen.
const MAX_VALUES: usize = 2_000;

/// The names of the schema, read once.
pub(crate) struct Vocabulary {
    anchor: EntityTypeName,
    anonymous: EntityUid,
    client: EntityTypeName,
    endpoint: EntityUid,
    host: EntityTypeName,
    path: EntityTypeName,
    payment_role: EntityTypeName,
    public_key: EntityTypeName,
    serial_number: EntityTypeName,
    weekday: EntityTypeName,
    /// By method; each knows the groups that it is in.
    actions: HashMap<String, Entity>,
    other_method: Entity,
}

const OTHER_METHOD: &str = "OTHER";
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Vocabulary {
    pub(crate) fn new(schema: &Schema) -> Result<Self, String> {
        let type_name =
            |name: &str| EntityTypeName::from_str(name).map_err(|error| format!("{name}: {error}"));
        let only = |name: &str, id: &str| {
            type_name(name).map(|name| EntityUid::from_type_name_and_id(name, EntityId::new(id)))
        };
        let entities = schema.action_entities().map_err(|error| error.to_string())?;
        let mut actions: HashMap<String, Entity> = entities
            .iter()
            .map(|action| (action.uid().id().unescaped().to_owned(), action.clone()))
            .collect();
        Ok(Self {
            anchor: type_name("Anchor")?,
            anonymous: only("Anonymous", "anonymous")?,
            client: type_name("Client")?,
            endpoint: only("Endpoint", "requested")?,
            host: type_name("Host")?,
            path: type_name("Path")?,
            payment_role: type_name("PaymentRole")?,
            public_key: type_name("PublicKey")?,
            serial_number: type_name("SerialNumber")?,
            weekday: type_name("Weekday")?,
            other_method: actions
                .remove(OTHER_METHOD)
                .ok_or("there is no action for other methods")?,
            // Groups are not methods.
            actions: actions
                .into_iter()
                .filter(|(method, _)| method.bytes().all(|byte| byte.is_ascii_uppercase()))
                .collect(),
        })
    }

    /// Returns the request and everything that policies can look up about it.
    pub(crate) fn describe(
        &self,
        input: &PolicyInput<'_>,
        named: &Named,
        cache: &EntityCache,
    ) -> Result<(Request, Entities), PolicyDenial> {
        let request = &input.request;
        let path = PlainPath::parse(request.path);
        check_readable(request, path.as_ref(), named)?;
        let host = request.host.named();
        let principal = match input.client {
            Some(identity) => cache.client(identity, input.now, || self.client(identity, input.now))?,
            None => Entity::new_no_attrs(self.anonymous.clone(), HashSet::new()),
        };
        let endpoint = self.endpoint(path.as_ref(), host, named);
        let action = self.actions.get(request.method).unwrap_or(&self.other_method);
        let context = self.context(request, path.is_some(), input.now, cache)?;
        let described = Request::new(principal.uid(), action.uid(), endpoint.uid(), context, None);
        let described = described.map_err(|error| unrepresentable("the request", &error))?;
        let entities = Entities::from_entities([principal, action.clone(), endpoint], None)
            .map_err(|error| unrepresentable("the client", &error))?;
        Ok((described, entities))
    }

    fn client(&self, identity: &ClientIdentity, now: Timestamp) -> Result<Entity, PolicyDenial> {
        let id = identity.certificate_fingerprint.to_string();
        let anchor = uid(&self.anchor, identity.anchor.id().to_string());
        let extensions = identity.extensions.iter();
        let tags = extensions.map(|one| (one.key.to_string(), text(one.value.to_string())));
        Entity::new_with_tags(
            uid(&self.client, id),
            self.client_attributes(identity, now)?,
            HashSet::from([anchor]),
            tags,
        )
        .map_err(|error| unrepresentable("the client", &error))
    }

    fn client_attributes(
        &self,
        identity: &ClientIdentity,
        now: Timestamp,
    ) -> Result<HashMap<String, RestrictedExpression>, PolicyDenial> {
        let subject = identity.subject.attributes();
        let names = AlternativeNames::sort(&identity.alternative_names);
        if subject.len() + names.count() + identity.certificate_policies.len() + identity.payment_roles.len()
            > MAX_VALUES
        {
            return Err(PolicyDenial::IdentityTooLarge);
        }
        let entity =
            |kind: &EntityTypeName, id: &str| RestrictedExpression::new_entity_uid(uid(kind, id.to_owned()));
        // The schema lists the roles; others, which stand as object identifiers, are for the audit
        // record.
        let is_listed = |role: &&String| PAYMENT_ROLES.iter().any(|(_, name)| name == role);
        let roles = identity.payment_roles.iter().filter(is_listed);
        let roles = roles.map(|role| entity(&self.payment_role, role));
        let public_key = identity.public_key_fingerprint.to_string();
        let mut attributes = HashMap::from([
            ("subject".to_owned(), text(identity.subject.to_string())),
            ("issuer".to_owned(), text(identity.issuer.to_string())),
            (
                "anchor_subject".to_owned(),
                text(identity.anchor.subject().to_string()),
            ),
            ("subject_attributes".to_owned(), subject_attributes(&subject)?),
            ("organizational_units".to_owned(), texts(values(&subject, "OU"))),
            (
                "serial_number".to_owned(),
                entity(&self.serial_number, &identity.serial_number),
            ),
            ("public_key".to_owned(), entity(&self.public_key, &public_key)),
            ("payment_roles".to_owned(), RestrictedExpression::new_set(roles)),
            (
                "certificate_policies".to_owned(),
                texts(identity.certificate_policies.iter().cloned()),
            ),
            (
                "days_left".to_owned(),
                RestrictedExpression::new_long(identity.days_left(now)),
            ),
        ]);
        names.insert_into(&mut attributes);
        let optional = [
            ("common_name", only_value(&subject, "CN")),
            ("organization", only_value(&subject, "O")),
            (
                "organization_identifier",
                only_value(&subject, "organizationIdentifier"),
            ),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                attributes.insert(name.to_owned(), text(value));
            }
        }
        if let Some(id) = &identity.spiffe_id {
            attributes.insert("spiffe".to_owned(), spiffe_id(id)?);
        }
        Ok(attributes)
    }

    /// Returns the entity of the endpoint: a member of every host and path that a policy names and
    /// that it lies in. Policies cannot ask about others.
    fn endpoint(&self, path: Option<&PlainPath>, host: Option<&Host>, named: &Named) -> Entity {
        let hosts = host.map(Host::as_str).filter(|host| named.hosts.contains(*host));
        let hosts = hosts.map(|host| uid(&self.host, host.to_owned()));
        let paths = path.into_iter().flat_map(|path| named.paths_around(path));
        let paths = paths.map(|path| uid(&self.path, path.to_owned()));
        Entity::new_no_attrs(self.endpoint.clone(), hosts.into_iter().chain(paths).collect())
    }

    fn context(
        &self,
        request: &RequestFacts<'_>,
        path_is_plain: bool,
        now: Timestamp,
        cache: &EntityCache,
    ) -> Result<Context, PolicyDenial> {
        let weekday = uid(&self.weekday, weekday(now).to_owned());
        let mut pairs = vec![
            ("method".to_owned(), text(request.method.to_owned())),
            ("raw_path".to_owned(), text(request.path.to_owned())),
            (
                "path_is_plain".to_owned(),
                RestrictedExpression::new_bool(path_is_plain),
            ),
            ("now".to_owned(), cache.time(now, time)),
            (
                "weekday".to_owned(),
                RestrictedExpression::new_entity_uid(weekday),
            ),
        ];
        let host = request.host.named();
        pairs.extend(host.map(|host| ("host".to_owned(), text(host.to_string()))));
        let target_group = request.target_group.map(str::to_owned);
        pairs.extend(target_group.map(|arn| ("target_group".to_owned(), text(arn))));
        pairs.extend(
            request
                .source_address
                .known()
                .map(|source| ("source_address".to_owned(), cache.address(source, address))),
        );
        Context::from_pairs(pairs).map_err(|error| unrepresentable("the request", &error))
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vocabulary").finish_non_exhaustive()
    }
}

/// Denies a request if policies ask for a part of it that cannot be read for certain. For Cedar an
/// attribute is present or absent. If an unreadable one were absent, a client could choose which
/// rules apply.
fn check_readable(
    request: &RequestFacts<'_>,
    path: Option<&PlainPath>,
    named: &Named,
) -> Result<(), PolicyDenial> {
    match path {
        None if named.go_by_paths() => return Err(PolicyDenial::PathNotPlain),
        None => {}
        Some(path) => {
            if let Some(named) = named.look_alike(path) {
                let named = named.to_owned();
                return Err(PolicyDenial::PathSpelling { named });
            }
        }
    }
    if named.go_by_hosts() && request.host.named().is_none() {
        return Err(PolicyDenial::HostUnclear(request.host.clone()));
    }
    if named.go_by_source_addresses() && request.source_address == SourceAddress::Unreadable {
        return Err(PolicyDenial::SourceAddressUnclear);
    }
    Ok(())
}

/// Alternative names, grouped by the attribute for their kind.
#[derive(Default)]
struct AlternativeNames {
    dns_names: Vec<RestrictedExpression>,
    email_addresses: Vec<RestrictedExpression>,
    uris: Vec<RestrictedExpression>,
    ip_addresses: Vec<RestrictedExpression>,
    directory_names: Vec<RestrictedExpression>,
    registered_ids: Vec<RestrictedExpression>,
    other_names: Vec<RestrictedExpression>,
}

impl AlternativeNames {
    fn sort(names: &[AlternativeName]) -> Self {
        let mut sorted = Self::default();
        for name in names {
            match name {
                AlternativeName::Dns(name) => sorted.dns_names.push(text(name.clone())),
                AlternativeName::Email(name) => sorted.email_addresses.push(text(name.clone())),
                AlternativeName::Uri(name) => sorted.uris.push(text(name.clone())),
                AlternativeName::Ip(ip) => sorted.ip_addresses.push(address(*ip)),
                AlternativeName::Directory(name) => sorted.directory_names.push(text(name.to_string())),
                AlternativeName::RegisteredId(oid) => sorted.registered_ids.push(text(oid.clone())),
                // Kinds that the verifier may add later are other names for policies too.
                other => sorted.other_names.push(text(other.to_string())),
            }
        }
        sorted
    }

    fn count(&self) -> usize {
        self.by_attribute().iter().map(|(_, names)| names.len()).sum()
    }

    fn by_attribute(&self) -> [(&'static str, &Vec<RestrictedExpression>); 7] {
        [
            ("dns_names", &self.dns_names),
            ("email_addresses", &self.email_addresses),
            ("uris", &self.uris),
            ("ip_addresses", &self.ip_addresses),
            ("directory_names", &self.directory_names),
            ("registered_ids", &self.registered_ids),
            ("other_names", &self.other_names),
        ]
    }

    fn insert_into(&self, attributes: &mut HashMap<String, RestrictedExpression>) {
        for (attribute, names) in self.by_attribute() {
            let names = RestrictedExpression::new_set(names.iter().cloned());
            attributes.insert(attribute.to_owned(), names);
        }
    }
}

fn uid(kind: &EntityTypeName, id: String) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(value: String) -> RestrictedExpression {
    RestrictedExpression::new_string(value)
}

fn texts(values: impl Iterator<Item = String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.map(text))
}

fn time(time: Timestamp) -> RestrictedExpression {
    RestrictedExpression::new_datetime(time.to_string())
}

/// Returns an address for Cedar, which does not read an IPv4 address within an IPv6 address. The
/// standard library writes mapped addresses that way.
fn address(address: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:x}"));
            groups.join(":")
        }
    })
}

/// Returns all text values of the attribute with this short name.
fn values<'a>(subject: &'a [NameAttribute<'_>], name: &'a str) -> impl Iterator<Item = String> + 'a {
    subject
        .iter()
        .filter(move |attribute| short_name(attribute) == Some(name))
        .filter_map(|attribute| match &attribute.value {
            AttributeValue::Text(text) => Some(text.to_string()),
            AttributeValue::Der(_) => None,
        })
}

/// Returns the value of an attribute that the subject has once, as text. With two values, readers
/// differ on which counts.
fn only_value(subject: &[NameAttribute<'_>], name: &str) -> Option<String> {
    let mut found = subject
        .iter()
        .filter(|attribute| short_name(attribute) == Some(name));
    match (found.next(), found.next()) {
        (Some(only), None) => match &only.value {
            AttributeValue::Text(text) => Some(text.to_string()),
            AttributeValue::Der(_) => None,
        },
        _ => None,
    }
}

fn subject_attributes(subject: &[NameAttribute<'_>]) -> Result<RestrictedExpression, PolicyDenial> {
    let mut by_name: HashMap<&'static str, Vec<RestrictedExpression>> = ATTRIBUTE_NAMES
        .iter()
        .map(|(_, name)| (*name, Vec::new()))
        .collect();
    for attribute in subject {
        let values = short_name(attribute).and_then(|name| by_name.get_mut(name));
        if let (Some(values), AttributeValue::Text(value)) = (values, &attribute.value) {
            values.push(text(value.to_string()));
        }
    }
    record(
        by_name
            .into_iter()
            .map(|(name, values)| (name, RestrictedExpression::new_set(values))),
    )
}

fn short_name(attribute: &NameAttribute<'_>) -> Option<&'static str> {
    ATTRIBUTE_NAMES
        .iter()
        .find(|(oid, _)| *oid == attribute.oid)
        .map(|(_, name)| *name)
}

/// `spiffe://trust-domain/path`, as the verifier has checked it.
fn spiffe_id(id: &str) -> Result<RestrictedExpression, PolicyDenial> {
    let rest = id.strip_prefix("spiffe://").unwrap_or_default();
    let slash = rest.find('/').unwrap_or(rest.len());
    let (trust_domain, path) = rest.split_at_checked(slash).unwrap_or_default();
    record([
        ("id", text(id.to_owned())),
        ("trust_domain", text(trust_domain.to_owned())),
        ("path", text(path.to_owned())),
    ])
}

fn record(
    fields: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
) -> Result<RestrictedExpression, PolicyDenial> {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    RestrictedExpression::new_record(fields).map_err(|error| unrepresentable("the client", &error))
}

/// 1970-01-01 was a Thursday.
fn weekday(at: Timestamp) -> &'static str {
    const THURSDAY: i64 = 3;
    let days = at.unix_seconds().div_euclid(86_400);
    let index = days.saturating_add(THURSDAY).rem_euclid(7);
    let name = usize::try_from(index).ok().and_then(|index| WEEKDAYS.get(index));
    name.copied().unwrap_or_default()
}

fn unrepresentable(what: &str, error: &dyn std::fmt::Display) -> PolicyDenial {
    PolicyDenial::Unrepresentable {
        explanation: format!(
            "{what} cannot be put to the policies: {}",
            one_line(&error.to_string())
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alb_mtls_http::host::RequestHost;
    use alb_mtls_verifier::{
        Intermediates, PresentedChain, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
    };
    use test_pki::{CertificateBuilder, Criticality};

    use super::*;

    fn identify(client: CertificateBuilder) -> Arc<ClientIdentity> {
        let extensions = "device_id=1.2.3.1 1.2.3.2".parse().unwrap();
        let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
        let client = client.issued_by(&root).unwrap();
        let anchor = TrustAnchor::new(root.der().to_vec().into()).unwrap();
        let anchors = TrustAnchors::new([anchor]).unwrap();
        let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default())
            .with_identity_extensions(extensions);
        let chain = PresentedChain::new([client.der().to_vec().into()]).unwrap();
        Arc::clone(verifier.verify(&chain, Timestamp::now()).unwrap().identity())
    }

    /// The validator judges policies by the schema, so what is built must be what the schema says.
    #[test]
    fn what_policies_see_is_what_the_schema_says() {
        let (schema, _) = Schema::from_cedarschema_str(crate::SCHEMA).unwrap();
        let vocabulary = Vocabulary::new(&schema).unwrap();
        let mut named = Named::default();
        named.hosts = ["api.example.org".to_owned()].into();
        named.paths = ["/", "/a", "/b"]
            .map(|path| (path.to_owned(), PlainPath::parse(path).unwrap()))
            .into();
        let cache = EntityCache::new();
        let full = CertificateBuilder::client("CN=x,OU=y,2.5.4.97=PSDDE-BAFIN-1,O=z,C=DE")
            .dns("x.example")
            .uri("spiffe://example.org/x")
            .ip("::ffff:192.0.2.1".parse::<IpAddr>().unwrap())
            .policy("1.2.3")
            .extension("1.2.3.1", Criticality::NotCritical, &[0x0C, 1, b'a'])
            .extension("1.2.3.2", Criticality::NotCritical, &[0x05, 0]);
        let (full, bare) = (identify(full), identify(CertificateBuilder::client("").dns("x")));
        for client in [Some(&*full), Some(&*bare), None] {
            for (method, target_group, source) in
                [("GET", None, None), ("x", Some("arn"), Some("2001:db8::1"))]
            {
                let request = RequestFacts {
                    method,
                    path: "/a/b",
                    host: &RequestHost::from_header(Some("api.example.org")),
                    target_group,
                    source_address: SourceAddress::from_forwarded_for(source.map(str::as_bytes)),
                };
                let now = Timestamp::now();
                let facts = PolicyInput { client, request, now };
                let (request, entities) = vocabulary.describe(&facts, &named, &cache).unwrap();
                let endpoint = request.resource().unwrap();
                assert_eq!(
                    entities.ancestors(endpoint).unwrap().count(),
                    3,
                    "host and two paths"
                );
                let entities = entities
                    .iter()
                    .filter(|entity| entity.uid().type_name().to_string() != "Action");
                Entities::from_entities(entities.cloned(), Some(&schema)).unwrap();
                Request::new(
                    request.principal().unwrap().clone(),
                    request.action().unwrap().clone(),
                    endpoint.clone(),
                    request.context().unwrap().clone(),
                    Some(&schema),
                )
                .unwrap();
            }
        }
    }

    #[test]
    fn knows_the_day_of_the_week() {
        let day = |text| weekday(Timestamp::parse_rfc3339(text).unwrap());
        assert_eq!(day("1970-01-01T00:00:00Z"), "Thursday");
        assert_eq!(day("1969-12-31T23:59:59Z"), "Wednesday");
        assert_eq!(day("2026-11-22T23:59:59Z"), "Sunday");
        assert_eq!(day("2026-11-23T00:00:00Z"), "Monday");
    }
}
