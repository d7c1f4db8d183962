//! Answers in the forms that API Gateway accepts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use alb_mtls_gate::{Denial, TokenIdentity, VerifiedClient};
use alb_mtls_verifier::ExtensionValue;
use serde::Serialize;

/// The most bytes of context, names and quotation marks included. API Gateway writes context into
/// headers of 10,240 bytes together, and documents no limit of its own.
const MAX_CONTEXT: usize = 4_096;

/// The most bytes of one value.
const MAX_VALUE: usize = 1_024;

/// The answer to one event.
///
/// There is one way to make one, from a [`Verdict`]: what is not an allowed client is denied.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// For REST APIs, and HTTP APIs that are not set to simple answers.
    #[serde(rename_all = "camelCase")]
    Policy {
        principal_id: String,
        policy_document: PolicyDocument,
        context: Context,
    },
    /// For HTTP APIs that are set to simple answers.
    #[serde(rename_all = "camelCase")]
    Simple { is_authorized: bool, context: Context },
}

/// Decision about a client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict<'a> {
    Verified(&'a VerifiedClient, Option<&'a TokenIdentity>),
    /// A client without an identity is allowed by `MTLS_MODE`.
    Anonymous,
    Denied(&'a Denial),
}

/// The form of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// A policy about this resource.
    Policy {
        resource: String,
    },
    Simple,
}

/// Text by name: REST APIs take neither nulls nor lists nor objects.
type Context = BTreeMap<Cow<'static, str>, String>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyDocument {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: Effect,
    resource: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Effect {
    Allow,
    Deny,
}

impl Answer {
    pub(crate) fn new(verdict: Verdict<'_>, form: Form) -> Self {
        let effect = match verdict {
            Verdict::Verified(..) | Verdict::Anonymous => Effect::Allow,
            Verdict::Denied(_) => Effect::Deny,
        };
        let context = context(verdict);
        match form {
            Form::Policy { resource } => Self::Policy {
                principal_id: principal_id(verdict),
                policy_document: PolicyDocument {
                    version: "2012-10-17",
                    statement: [Statement {
                        action: "execute-api:Invoke",
                        effect,
                        resource,
                    }],
                },
                context,
            },
            Form::Simple => Self::Simple {
                is_authorized: effect == Effect::Allow,
                context,
            },
        }
    }
}

/// Returns the SHA-256 fingerprint of the client's public key: no CA can give it to another client,
/// and it stays when the certificate is renewed with the same key. The word for an anonymous client
/// cannot be mistaken for one.
fn principal_id(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Verified(client, _) => client.identity().public_key_fingerprint.to_string(),
        Verdict::Anonymous => "anonymous".to_owned(),
        Verdict::Denied(_) => "denied".to_owned(),
    }
}

/// Returns what the API and its logs receive. The names are those of the JSON that describes a
/// client elsewhere.
fn context(verdict: Verdict<'_>) -> Context {
    let (client, token) = match verdict {
        Verdict::Verified(client, token) => (client, token),
        Verdict::Anonymous => return [("verified".into(), "false".to_owned())].into(),
        Verdict::Denied(denial) => {
            return [
                ("verified".into(), "false".to_owned()),
                ("code".into(), denial.code().as_str().to_owned()),
                ("detail".into(), denial.detail().to_owned()),
            ]
            .into();
        }
    };
    let identity = client.identity();
    let token = |field: fn(&TokenIdentity) -> Option<&String>| token.and_then(field).cloned();
    let alternative_names: Vec<String> = identity
        .alternative_names
        .iter()
        .map(ToString::to_string)
        .collect();
    let payment_roles = identity.payment_roles.join(" ");
    // What identifies comes first: it must fit.
    let names = [
        (
            "certificate_sha256",
            Some(identity.certificate_fingerprint.to_string()),
        ),
        (
            "public_key_sha256",
            Some(identity.public_key_fingerprint.to_string()),
        ),
        ("x5t_s256", Some(identity.certificate_fingerprint.to_base64url())),
        ("anchor_id", Some(identity.anchor.id().to_string())),
        ("serial_number", Some(identity.serial_number.clone())),
        ("not_before", Some(identity.validity.not_before.to_string())),
        ("not_after", Some(identity.validity.not_after.to_string())),
        ("spiffe_id", identity.spiffe_id.clone()),
        ("subject", Some(identity.subject.to_string())),
        ("issuer", Some(identity.issuer.to_string())),
        ("common_name", identity.common_name()),
        (
            "organization_identifier",
            identity.organization_identifier.clone(),
        ),
        (
            "payment_roles",
            Some(payment_roles).filter(|roles| !roles.is_empty()),
        ),
        ("token_subject", token(|token| token.subject.as_ref())),
        ("token_client_id", token(|token| token.client_id.as_ref())),
        ("token_scope", token(|token| token.scope.as_ref())),
    ];
    let extensions = identity.extensions.iter().map(extension);
    let rest = [
        ("anchor", Some(identity.anchor.subject().to_string())),
        // A list of text always serialises. Joined by commas, one name could pass for two.
        (
            "alternative_names",
            serde_json::to_string(&alternative_names).ok(),
        ),
    ];
    let fixed = |(name, value): (&'static str, Option<String>)| (Cow::Borrowed(name), value);
    let mut context = Context::from([("verified".into(), "true".to_owned())]);
    let fields = names.into_iter().map(fixed);
    fit(
        &mut context,
        fields.chain(extensions).chain(rest.into_iter().map(fixed)),
    );
    context
}

/// Returns the field of an extension. Each has its own, because API Gateway maps fields and does
/// not look into them; `.` would begin another part of their names.
fn extension(extension: &ExtensionValue) -> (Cow<'static, str>, Option<String>) {
    let name = format!("extension_{}", extension.key.replace('.', "_"));
    (name.into(), Some(extension.value.to_string()))
}

/// Adds the fields that fit. A name cut short could be another client's, so that one that does not
/// fit is left out as a whole, and `omitted` says so.
fn fit(context: &mut Context, fields: impl IntoIterator<Item = (Cow<'static, str>, Option<String>)>) {
    let mut left = MAX_CONTEXT;
    let mut omitted = Vec::new();
    for (name, value) in fields {
        let Some(value) = value else { continue };
        // As JSON, where some characters take six bytes.
        let size = serde_json::to_string(&value).map_or(usize::MAX, |json| json.len());
        match left.checked_sub(size.saturating_add(name.len() + r#""":,"#.len())) {
            Some(rest) if size <= MAX_VALUE => {
                left = rest;
                context.insert(name, value);
            }
            _ => omitted.push(name),
        }
    }
    if !omitted.is_empty() {
        context.insert("omitted".into(), omitted.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::Reason;
    use serde_json::json;

    use super::*;

    fn forms() -> [Form; 2] {
        let resource = "arn:aws:execute-api:eu-west-1:123456789012:abc/prod/*".to_owned();
        [Form::Policy { resource }, Form::Simple]
    }

    fn json_of(verdict: Verdict<'_>) -> [serde_json::Value; 2] {
        forms().map(|form| serde_json::to_value(Answer::new(verdict, form)).unwrap())
    }

    #[test]
    fn a_denial_denies_in_both_forms() {
        let context = json!({"verified": "false", "code": "ClientCertExpired", "detail": "expired"});
        let [policy, simple] = json_of(Verdict::Denied(&Denial::from(Reason::Expired)));
        assert_eq!(
            policy,
            json!({
                "principalId": "denied",
                "policyDocument": {"Version": "2012-10-17", "Statement": [{
                    "Action": "execute-api:Invoke",
                    "Effect": "Deny",
                    "Resource": "arn:aws:execute-api:eu-west-1:123456789012:abc/prod/*",
                }]},
                "context": context,
            })
        );
        assert_eq!(simple, json!({"isAuthorized": false, "context": context}));
    }

    #[test]
    fn an_anonymous_client_that_may_pass_has_no_identity() {
        let [policy, simple] = json_of(Verdict::Anonymous);
        assert_eq!(policy["principalId"], "anonymous");
        assert_eq!(policy["policyDocument"]["Statement"][0]["Effect"], "Allow");
        assert_eq!(
            simple,
            json!({"isAuthorized": true, "context": {"verified": "false"}})
        );
    }

    #[test]
    fn values_that_do_not_fit_are_left_out() {
        let mut context = Context::new();
        let value = |length| Some("x".repeat(length));
        fit(
            &mut context,
            [
                ("a", value(MAX_VALUE - 2)),
                ("long", value(MAX_VALUE - 1)),
                ("none", None),
                ("escaped", Some("\u{1}".repeat(MAX_VALUE / 5))),
                ("b", value(MAX_VALUE - 2)),
                ("c", value(MAX_VALUE - 2)),
                ("d", value(MAX_VALUE - 2)),
                ("e", value(900)),
            ]
            .map(|(name, value)| (name.into(), value)),
        );
        assert_eq!(context["omitted"], "long escaped d");
        let names: Vec<&str> = context.keys().map(AsRef::as_ref).collect();
        assert_eq!(names, ["a", "b", "c", "e", "omitted"]);
    }
}
