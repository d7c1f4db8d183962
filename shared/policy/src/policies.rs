//! Policies: parsed, checked, and ready to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use alb_mtls_http::path::PlainPath;
use alb_mtls_verifier::{Fingerprint, IdentityExtensions};
use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Effect, PolicyId, PolicySet, Schema, ValidationMode,
    ValidationWarning, Validator,
};
use miette::Diagnostic;

use crate::SCHEMA;
use crate::cache::EntityCache;
use crate::entities::Vocabulary;
use crate::error::{Place, PolicyError, PolicyErrors, PolicyProblem, one_line};
use crate::extensions::{self, MentionedExtension};
use crate::input::PolicyInput;
use crate::literals::misspelling;
use crate::mentions::Mentions;
use crate::named::Named;
use crate::outcome::{PolicyDenial, PolicyFailure, PolicyOutcome};
use crate::statements::{Statement, statements};

/// Bytes of policies that are read at most.
const MAX_BYTES: usize = 1024 * 1024;
/// Levels of brackets and conditional expressions in one policy.
const MAX_DEPTH: usize = 32;
/// Most operators in one policy. The elements of a set do not count.
const MAX_OPERATORS: usize = 250;
/// Stack for loading: a level of brackets takes some 60 KiB in an unoptimised build.
const LOADING_STACK: usize = 16 * 1024 * 1024;
/// Stack for a decision, and the part that each level of the longest policy adds in an unoptimised
/// build. With less, Cedar gives up on the policy, and every client would be denied on one thread
/// and not on another.
const DECISION_STACK: usize = 512 * 1024;
const DECISION_STACK_OF_LEVEL: usize = 64 * 1024;
const MAX_ID_BYTES: usize = 128;

/// A set of policies that fits the schema. It never decides differently: changed policies are
/// another set.
pub struct Policies {
    set: PolicySet,
    authorizer: Authorizer,
    vocabulary: &'static Vocabulary,
    named: Named,
    cache: EntityCache,
    ids: Vec<Arc<str>>,
    extensions: Vec<MentionedExtension>,
    warnings: Vec<PolicyWarning>,
    version: Fingerprint,
    /// Stack that a decision takes at most.
    stack: usize,
}

/// Something about a policy that is allowed, and that its author should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWarning {
    /// The source as it was named to the parser.
    pub source_name: String,
    /// Place in the source.
    pub place: Option<Place>,
    /// Advice in one line of bounded length.
    pub message: String,
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.map(|place| format!(":{place}")).unwrap_or_default();
        write!(formatter, "{}{place}: {}", self.source_name, self.message)
    }
}

impl Policies {
    /// Reads the policies of one source and checks them against the schema.
    ///
    /// # Errors
    /// All problems; see [`PolicyProblem`]. A set is used whole or not at all.
    pub fn parse(text: &str, source_name: &str) -> Result<Self, PolicyErrors> {
        Self::parse_all([(source_name, text)])
    }

    /// Reads the policies of several sources, given as name and text, into one set.
    ///
    /// # Errors
    /// As [`Policies::parse`]; an id can be in one source only, and there must be a policy in each
    /// of them.
    pub fn parse_all<'a>(
        sources: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PolicyErrors> {
        let sources: Vec<(&str, &str)> = sources.into_iter().collect();
        let bytes = sources.iter().map(|(_, text)| text.len()).sum();
        if bytes > MAX_BYTES {
            let (name, _) = sources.first().copied().unwrap_or_default();
            let problem = PolicyProblem::TooLarge {
                bytes,
                max: MAX_BYTES,
            };
            return Err(error(name, None, problem).into());
        }
        if sources.is_empty() {
            return Err(error("policies", None, PolicyProblem::Empty).into());
        }
        let set = stacker::maybe_grow(LOADING_STACK, LOADING_STACK, || {
            let mut loading = Loading::new()?;
            for (name, text) in &sources {
                loading.take(&Source { name, text });
            }
            loading.warn_of_lockdown();
            loading.warn_of_confusable_paths();
            loading.finish()
        })?;
        Ok(Self {
            version: digest(&sources),
            ..set
        })
    }

    /// Checks that every extension that a policy asks for can be part of an identity.
    ///
    /// # Errors
    /// [`PolicyProblem::UnknownExtension`] for each that cannot.
    pub fn check_extensions(&self, selected: &IdentityExtensions) -> Result<(), PolicyErrors> {
        extensions::check(&self.extensions, selected)
    }

    /// Decides about a request.
    pub fn decide(&self, input: &PolicyInput<'_>) -> PolicyOutcome {
        let (request, entities) = match self.vocabulary.describe(input, &self.named, &self.cache) {
            Ok(described) => described,
            Err(denial) => return PolicyOutcome::Deny(denial),
        };
        let response = stacker::maybe_grow(self.stack, self.stack, || {
            self.authorizer.is_authorized(&request, &self.set, &entities)
        });
        let diagnostics = response.diagnostics();
        let mut failures: Vec<PolicyFailure> = diagnostics.errors().map(failure).collect();
        if !failures.is_empty() {
            failures.sort_by(|left, right| left.policy.cmp(&right.policy));
            return PolicyOutcome::Deny(PolicyDenial::Failed { failures });
        }
        let mut policies: Vec<Arc<str>> = diagnostics.reason().map(id_of).collect();
        policies.sort();
        match response.decision() {
            Decision::Allow => PolicyOutcome::Allow { policies },
            Decision::Deny if policies.is_empty() => PolicyOutcome::Deny(PolicyDenial::NotPermitted),
            Decision::Deny => PolicyOutcome::Deny(PolicyDenial::Forbidden { policies }),
        }
    }

    /// Returns the ids of the policies in the order of the sources: the `@id` where there is one,
    /// else `source:line`.
    pub fn ids(&self) -> &[Arc<str>] {
        &self.ids
    }

    /// Returns warnings for the authors of the policies.
    pub fn warnings(&self) -> &[PolicyWarning] {
        &self.warnings
    }

    /// SHA-256 over the names and texts of the sources: the same for the same policies only.
    pub fn version(&self) -> Fingerprint {
        self.version
    }
}

/// Two sets are equal when they were read from the same sources.
impl PartialEq for Policies {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for Policies {}

impl fmt::Debug for Policies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Policies");
        debug.field("ids", &self.ids).field("version", &self.version);
        debug.finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, offset: usize) -> Place {
        Place::of(self.text, offset)
    }

    /// Returns the offset of a text within a policy; that of the policy if it is spelt otherwise.
    fn offset_of_text(&self, policy: Option<usize>, text: &str) -> Option<usize> {
        let rest = policy.and_then(|offset| self.text.get(offset..));
        let within = rest.and_then(|rest| rest.find(text));
        policy.map(|offset| offset + within.unwrap_or(0))
    }

    fn error(&self, offset: Option<usize>, problem: PolicyProblem) -> PolicyError {
        error(self.name, offset.map(|offset| self.place(offset)), problem)
    }
}

/// Schema and parser with which every set is read. Reading the schema takes longer than reading
/// most policies, so it is read once.
struct Language {
    validator: Validator,
    vocabulary: Vocabulary,
}

/// Made of constants that tests read: an error in here can only be a mistake in this crate.
static LANGUAGE: LazyLock<Result<Language, String>> = LazyLock::new(|| {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
    Ok(Language {
        vocabulary: Vocabulary::new(&schema)?,
        validator: Validator::new(schema),
    })
});

/// Policies on their way in, with everything that is wrong with them so far.
struct Loading {
    language: &'static Language,
    set: PolicySet,
    named: Named,
    /// The ids so far, each with the place of its policy.
    places: BTreeMap<Arc<str>, String>,
    ids: Vec<Arc<str>>,
    extensions: Vec<MentionedExtension>,
    warnings: Vec<PolicyWarning>,
    errors: Vec<PolicyError>,
    /// Levels of the longest policy.
    levels: usize,
}

impl Loading {
    fn new() -> Result<Self, PolicyErrors> {
        let language = LANGUAGE
            .as_ref()
            .map_err(|message| error("schema", None, PolicyProblem::Schema(one_line(message))))?;
        Ok(Self {
            language,
            set: PolicySet::new(),
            named: Named::default(),
            places: BTreeMap::new(),
            ids: Vec::new(),
            extensions: Vec::new(),
            warnings: Vec::new(),
            errors: Vec::new(),
            levels: 0,
        })
    }

    fn take(&mut self, source: &Source<'_>) {
        let known = self.errors.len();
        self.read(source);
        if let Some(errors) = self.errors.get_mut(known..) {
            errors.sort_by_key(|error| error.place);
        }
    }

    fn read(&mut self, source: &Source<'_>) {
        let statements = statements(source.text);
        if statements.is_empty() {
            self.errors.push(source.error(None, PolicyProblem::Empty));
            return;
        }
        let hazards: Vec<PolicyError> = statements
            .iter()
            .filter_map(|statement| Some(source.error(Some(statement.offset), hazard(statement)?)))
            .collect();
        if !hazards.is_empty() {
            self.errors.extend(hazards);
            return;
        }
        let levels = statements
            .iter()
            .map(|statement| statement.depth + statement.operators);
        self.levels = levels.fold(self.levels, usize::max);
        match PolicySet::from_str(source.text) {
            Ok(parsed) => self.take_parsed(source, &statements, &parsed),
            Err(unreadable) => {
                let syntax = |message: String| PolicyProblem::Syntax(message);
                let errors = unreadable
                    .iter()
                    .map(|error| source.error(offset_of(error), syntax(message_of(error))));
                self.errors.extend(errors);
            }
        }
    }

    fn take_parsed(&mut self, source: &Source<'_>, statements: &[Statement], parsed: &PolicySet) {
        for template in parsed.templates() {
            let offset = position(template.id(), statements).map(|statement| statement.offset);
            self.errors.push(source.error(offset, PolicyProblem::Template));
        }
        self.validate(source, parsed);
        let mut policies: Vec<_> = parsed
            .policies()
            .map(|policy| {
                (
                    position(policy.id(), statements).map(|statement| statement.offset),
                    policy,
                )
            })
            .collect();
        policies.sort_by_key(|(offset, _)| *offset);
        for (offset, policy) in policies {
            let place = match offset {
                Some(offset) => format!("{}:{}", source.name, source.place(offset)),
                None => source.name.to_owned(),
            };
            let id: Arc<str> = match (policy.annotation("id"), offset) {
                (Some(id), _) if is_usable_id(id) => id.into(),
                (Some(_), _) => {
                    self.errors.push(source.error(offset, PolicyProblem::Id));
                    continue;
                }
                (None, Some(offset)) => format!("{}:{}", source.name, source.place(offset).line).into(),
                (None, None) => policy.id().to_string().into(),
            };
            if let Some(first) = self.places.insert(Arc::clone(&id), place) {
                let id = id.to_string();
                let problem = match policy.annotation("id") {
                    Some(_) => PolicyProblem::DuplicateId { id, first },
                    None => PolicyProblem::DuplicateLine { id, first },
                };
                self.errors.push(source.error(offset, problem));
                continue;
            }
            let mentions = Mentions::from_policy(policy);
            self.named.take_mentions(&mentions);
            self.take_extensions(source, offset, &mentions);
            for literal in policy.entity_literals() {
                self.take_literal(source, offset, &literal);
            }
            if let Err(error) = self.set.add(policy.new_id(PolicyId::new(&id))) {
                let problem = PolicyProblem::Syntax(one_line(&error.to_string()));
                self.errors.push(source.error(offset, problem));
            }
            self.ids.push(id);
        }
    }

    fn validate(&mut self, source: &Source<'_>, parsed: &PolicySet) {
        let result = self.language.validator.validate(parsed, ValidationMode::Strict);
        let mut faulty: BTreeSet<&PolicyId> = BTreeSet::new();
        for error in result.validation_errors() {
            faulty.insert(error.policy_id());
            let problem = PolicyProblem::Schema(message_of(error));
            self.errors.push(source.error(offset_of(error), problem));
        }
        for warning in result.validation_warnings() {
            let message = message_of(warning);
            let offset = offset_of(warning);
            let problem = match warning {
                ValidationWarning::BidiCharsInString(_) | ValidationWarning::BidiCharsInIdentifier(_) => {
                    PolicyProblem::Deceptive(message)
                }
                // Told once of a policy, and not when it only follows from an error.
                ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_)
                    if !faulty.insert(warning.policy_id()) =>
                {
                    continue;
                }
                ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
                    PolicyProblem::NeverApplies(message)
                }
                // Names in two scripts are deceptive in one place and a company's name in another.
                _ => {
                    self.warnings.push(PolicyWarning {
                        source_name: source.name.to_owned(),
                        place: offset.map(|offset| source.place(offset)),
                        message,
                    });
                    continue;
                }
            };
            self.errors.push(source.error(offset, problem));
        }
    }

    fn take_extensions(&mut self, source: &Source<'_>, policy: Option<usize>, mentions: &Mentions) {
        if mentions.computes_extensions() {
            self.errors
                .push(source.error(policy, PolicyProblem::ComputedExtension));
        }
        let extensions = mentions.extensions().map(|key| MentionedExtension {
            key: key.to_owned(),
            source_name: source.name.to_owned(),
            place: source
                .offset_of_text(policy, &format!("\"{key}\""))
                .map(|offset| source.place(offset)),
        });
        self.extensions.extend(extensions);
    }

    fn take_literal(
        &mut self,
        source: &Source<'_>,
        policy: Option<usize>,
        literal: &cedar_policy::EntityUid,
    ) {
        if let Some(wanted) = misspelling(literal) {
            let literal = literal.to_string();
            let offset = source.offset_of_text(policy, &literal);
            let literal = one_line(&literal);
            self.errors
                .push(source.error(offset, PolicyProblem::Spelling { literal, wanted }));
            return;
        }
        let id = || literal.id().unescaped().to_owned();
        match literal.type_name().to_string().as_str() {
            "Host" => _ = self.named.hosts.insert(id()),
            "Path" => self
                .named
                .paths
                .extend(PlainPath::parse(&id()).map(|path| (id(), path))),
            _ => {}
        }
    }

    fn warn_of_lockdown(&mut self) {
        let permits = |policy: &cedar_policy::Policy| policy.effect() == Effect::Permit;
        if !self.set.is_empty() && !self.set.policies().any(permits) {
            self.warnings.push(PolicyWarning {
                source_name: "policies".to_owned(),
                place: None,
                message: "there are prohibitions only, and a request that no policy permits is denied"
                    .to_owned(),
            });
        }
    }

    fn warn_of_confusable_paths(&mut self) {
        let pairs = self.named.confusable_pairs();
        let warnings: Vec<PolicyWarning> = pairs
            .map(|(path, other)| PolicyWarning {
                source_name: "policies".to_owned(),
                place: None,
                message: format!(
                    "some servers take `{path}` for a path in `{other}`: if the one behind does, spell both alike"
                ),
            })
            .collect();
        self.warnings.extend(warnings);
    }

    fn finish(self) -> Result<Policies, PolicyErrors> {
        PolicyErrors::check(self.errors)?;
        Ok(Policies {
            set: self.set,
            authorizer: Authorizer::new(),
            vocabulary: &self.language.vocabulary,
            named: self.named,
            cache: EntityCache::new(),
            ids: self.ids,
            extensions: self.extensions,
            warnings: self.warnings,
            version: digest(&[]),
            stack: DECISION_STACK + self.levels * DECISION_STACK_OF_LEVEL,
        })
    }
}

fn error(source_name: &str, place: Option<Place>, problem: PolicyProblem) -> PolicyError {
    PolicyError {
        source_name: source_name.to_owned(),
        place,
        problem,
    }
}

fn hazard(statement: &Statement) -> Option<PolicyProblem> {
    if statement.depth > MAX_DEPTH {
        Some(PolicyProblem::TooDeep { max: MAX_DEPTH })
    } else if statement.operators > MAX_OPERATORS {
        Some(PolicyProblem::TooLong { max: MAX_OPERATORS })
    } else {
        None
    }
}

/// Finds the statement of a policy: Cedar numbers the policies and templates of a text as
/// `policy0`, `policy1`, …
fn position<'a>(id: &PolicyId, statements: &'a [Statement]) -> Option<&'a Statement> {
    let id: &str = id.as_ref();
    let number: usize = id.strip_prefix("policy")?.parse().ok()?;
    statements.get(number)
}

fn is_usable_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
}

fn offset_of(error: &impl Diagnostic) -> Option<usize> {
    error.labels()?.next().map(|label| label.offset())
}

/// Returns the message with Cedar's advice, and without the number that Cedar gave the policy.
fn message_of(error: &impl Diagnostic) -> String {
    let message = error.to_string();
    let numbered = message
        .strip_prefix("for policy `policy")
        .and_then(|rest| rest.split_once('`'));
    let message = match numbered {
        Some((_, rest)) => rest.trim_start_matches([',', ':', ' ']),
        None => &message,
    };
    one_line(&match error.help() {
        Some(help) => format!("{message}; {help}"),
        None => message.to_owned(),
    })
}

fn failure(error: &AuthorizationError) -> PolicyFailure {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => PolicyFailure {
            policy: id_of(error.policy_id()),
            message: one_line(&error.inner().to_string()),
        },
    }
}

fn id_of(id: &PolicyId) -> Arc<str> {
    let id: &str = id.as_ref();
    id.into()
}

/// Lengths stand before the parts, so that no part can pass for two.
fn digest(sources: &[(&str, &str)]) -> Fingerprint {
    let mut parts = Vec::new();
    for part in sources.iter().flat_map(|(name, text)| [name, text]) {
        parts.extend_from_slice(&part.len().to_be_bytes());
        parts.extend_from_slice(part.as_bytes());
    }
    Fingerprint::of(&parts)
}
