//! Where material comes from, as settings and the command line name it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The forms that a source may have; every error about one ends with them.
const FORMS: &str = "a source is `file:/path`, `ssm:/name`, `ssm:/path/*` or `s3://bucket/key`";

/// The most bytes of a key, encoded in UTF-8 (S3 user guide, "Naming Amazon S3 objects").
pub(crate) const MAX_KEY_BYTES: usize = 1_024;

/// What is escaped in the displayed form of an S3 key or version id.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'&').add(b'?');

/// One place that holds material.
///
/// ```
/// use alb_mtls_trust::{S3Object, Source};
///
/// let source: Source = "s3://pki-bundles/anchors.pem?versionId=3HL4kqtJ&region=eu-central-1".parse()?;
/// let Source::Object(S3Object { bucket, key, .. }) = &source else { unreachable!() };
/// assert_eq!((bucket.as_str(), key.as_str()), ("pki-bundles", "anchors.pem"));
///
/// let error = "S3://pki-bundles/anchors.pem".parse::<Source>().unwrap_err();
/// assert!(error.to_string().starts_with("`S3://pki-bundles/anchors.pem` has no known scheme"));
/// # Ok::<_, alb_mtls_trust::InvalidSource>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `file:/path`: a file by its absolute path.
    File(PathBuf),
    /// `ssm:/name`, also with `:version` or `:label`, or `ssm:arn:aws:ssm:…`: one parameter.
    Parameter(Parameter),
    /// `ssm:/path/*`: every parameter directly below a path.
    ParameterPath(ParameterPath),
    /// `s3://bucket/key`: one object.
    Object(S3Object),
}

/// A parameter of SSM Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// The name, with `:version` or `:label` if there is one; or the whole ARN, for a parameter that another account
    /// shares.
    pub name: String,
    /// From the ARN or from `?region=`; otherwise the region of the process.
    pub region: Option<String>,
}

/// The parameters directly below a path in SSM Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParameterPath {
    /// Begins with a slash and ends without one, except that it may be `/`.
    pub path: String,
    /// From `?region=`; otherwise the region of the process.
    pub region: Option<String>,
}

/// An object in S3.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct S3Object {
    /// The name of a bucket, or the alias of an access point.
    pub bucket: String,
    /// The key, not escaped.
    pub key: String,
    /// `?versionId=`: this version and no newer one.
    pub version_id: Option<String>,
    /// `?region=`: where the bucket is, when it is not the region of the process.
    pub region: Option<String>,
    /// `?owner=`: the account that must own the bucket, so that nobody else's bucket of this name is read.
    pub owner: Option<String>,
    /// `#sha256=`: the content must have this digest, in lower-case hexadecimal.
    pub sha256: Option<String>,
}

impl S3Object {
    /// An object by bucket and key alone.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            version_id: None,
            region: None,
            owner: None,
            sha256: None,
        }
    }
}

/// The text does not name a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` {reason}; {FORMS}")]
pub struct InvalidSource {
    word: String,
    reason: String,
}

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(word: &str) -> Result<Self, InvalidSource> {
        let parsed = if let Some(path) = word.strip_prefix("file:") {
            parse_file(path)
        } else if let Some(name) = word.strip_prefix("ssm:") {
            parse_parameter(name)
        } else if let Some(location) = word.strip_prefix("s3://") {
            parse_object(location).map(Self::Object)
        } else {
            Err(without_scheme(word))
        };
        parsed.map_err(|reason| InvalidSource {
            word: word.to_owned(),
            reason,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Parameter(parameter) => parameter.fmt(formatter),
            Self::ParameterPath(path) => path.fmt(formatter),
            Self::Object(object) => object.fmt(formatter),
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ssm:{}", self.name)?;
        match &self.region {
            Some(region) if !self.name.starts_with("arn:") => write!(formatter, "?region={region}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ParameterPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ssm:{}/*", self.path.trim_end_matches('/'))?;
        match &self.region {
            Some(region) => write!(formatter, "?region={region}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for S3Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "s3://{}/{}",
            self.bucket,
            utf8_percent_encode(&self.key, ESCAPED)
        )?;
        let parameters = [
            ("versionId", &self.version_id),
            ("region", &self.region),
            ("owner", &self.owner),
        ];
        let given = parameters
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        for ((name, value), separator) in given.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
            write!(
                formatter,
                "{separator}{name}={}",
                utf8_percent_encode(value, ESCAPED)
            )?;
        }
        match &self.sha256 {
            Some(digest) => write!(formatter, "#sha256={digest}"),
            None => Ok(()),
        }
    }
}

/// One source or more, in the order in which they were named, none of them twice.
///
/// As text they are separated by white space.
///
/// ```
/// use alb_mtls_trust::Sources;
///
/// let sources: Sources = "ssm:/mtls/anchors/* file:/opt/anchors.pem".parse()?;
/// assert_eq!(sources.iter().count(), 2);
/// assert!("".parse::<Sources>().is_err());
/// # Ok::<_, alb_mtls_trust::InvalidSources>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Takes sources in this order.
    ///
    /// # Errors
    /// [`InvalidSources`] when there is none, or one of them twice.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, InvalidSources> {
        let mut all: Vec<Source> = Vec::new();
        for source in sources {
            if all.contains(&source) {
                return Err(InvalidSources::Repeated(source.to_string()));
            }
            all.push(source);
        }
        if all.is_empty() {
            Err(InvalidSources::None)
        } else {
            Ok(Self(all))
        }
    }

    /// Each source in order; there is at least one.
    pub fn iter(&self) -> std::slice::Iter<'_, Source> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Sources {
    type Item = &'a Source;
    type IntoIter = std::slice::Iter<'a, Source>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromStr for Sources {
    type Err = InvalidSources;

    fn from_str(text: &str) -> Result<Self, InvalidSources> {
        let sources = text
            .split_whitespace()
            .map(Source::from_str)
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(sources)
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, source) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(formatter, "{separator}{source}")?;
        }
        Ok(())
    }
}

/// The text does not name sources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSources {
    /// There is no word in it.
    #[error("no source is named; {FORMS}")]
    None,
    /// A word of it is not a source.
    #[error("{0}")]
    Source(#[from] InvalidSource),
    /// A source is named more than once, which is never meant.
    #[error("`{0}` is named twice")]
    Repeated(String),
}

/// Why a word is not a source, in words that follow the word itself.
type Reason = String;

/// Says how a word is written that names the place in another way.
fn without_scheme(word: &str) -> Reason {
    let fields: Vec<&str> = word.splitn(6, ':').collect();
    let remedy = match fields.as_slice() {
        ["arn", _, "ssm", ..] => format!(": write `ssm:{word}`"),
        ["arn", _, "s3", _, _, object] => format!(": write `s3://{object}`"),
        ["arn", ..] => ": it is the ARN of something else, whose content has to be stored".to_owned(),
        _ if word.starts_with("-----BEGIN") => {
            ": the setting names where the PEM text is, and does not contain it".to_owned()
        }
        _ if word.starts_with('/') => format!(": write `file:{word}`"),
        ["http" | "https", ..] => ": URLs are not read, store the content in S3, SSM or a file".to_owned(),
        _ => String::new(),
    };
    format!("has no known scheme{remedy}")
}

fn parse_file(path: &str) -> Result<Source, Reason> {
    // RFC 8089 writes a local file with an empty authority too.
    let path = match path.strip_prefix("//") {
        Some(after_authority) if after_authority.starts_with('/') => after_authority,
        Some(_) => return Err("names a host, and files are read from this machine only".into()),
        None => path,
    };
    if !path.starts_with('/') {
        Err("needs an absolute path".into())
    } else if path.ends_with('/') {
        Err("names a directory, not a file".into())
    } else {
        Ok(Source::File(path.into()))
    }
}

fn parse_parameter(text: &str) -> Result<Source, Reason> {
    let (name, query) = split_query(text);
    let mut query = Query::parse(query)?;
    let region = query.take("region").map(region).transpose()?;
    query.finish("region")?;

    if name.starts_with("arn:") {
        if region.is_some() {
            return Err("names its region twice, in the ARN and as a parameter".into());
        }
        return parse_parameter_arn(name).map(Source::Parameter);
    }
    if let Some(path) = name.strip_suffix("/*") {
        let path = if path.is_empty() { "/" } else { path };
        check_parameter_name(path)?;
        if !path.starts_with('/') {
            return Err("needs a path that begins with a slash".into());
        }
        return Ok(Source::ParameterPath(ParameterPath {
            path: path.into(),
            region,
        }));
    }
    let (bare, selector) = match name.split_once(':') {
        None => (name, None),
        Some((bare, selector)) => (bare, Some(selector)),
    };
    check_parameter_name(bare)?;
    check_selector(selector)?;
    Ok(Source::Parameter(Parameter {
        name: name.into(),
        region,
    }))
}

/// `arn:aws:ssm:region:account:parameter/name`, where the name's own leading slash is the one after `parameter`.
fn parse_parameter_arn(arn: &str) -> Result<Parameter, Reason> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, "ssm", arn_region, account, resource] = fields.as_slice() else {
        return Err("is not the ARN of a parameter: `arn:aws:ssm:region:account:parameter/name`".into());
    };
    let Some(name) = resource.strip_prefix("parameter/") else {
        return Err("is not the ARN of a parameter: `parameter/` is missing".into());
    };
    if name.ends_with("/*") {
        return Err(
            "is a path in an ARN, which Parameter Store cannot list: name the parameters one by one".into(),
        );
    }
    let (bare, selector) = match name.split_once(':') {
        None => (name, None),
        Some((bare, selector)) => (bare, Some(selector)),
    };
    check_parameter_name(bare)?;
    check_selector(selector)?;
    check_account(account)?;
    if !partition.starts_with("aws") {
        return Err("is not the ARN of a parameter: the partition is unknown".into());
    }
    Ok(Parameter {
        name: arn.into(),
        region: Some(region((*arn_region).to_owned())?),
    })
}

/// The characters are those of the Parameter Store's PutParameter reference.
fn check_parameter_name(name: &str) -> Result<(), Reason> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/');
    if name.is_empty() {
        Err("names no parameter".into())
    } else if name.contains('*') {
        Err("has a `*` that is not the whole last part of a path".into())
    } else if !name.bytes().all(allowed) {
        Err("has a character that parameter names do not have".into())
    } else if name != "/" && (name.contains("//") || name.ends_with('/')) {
        Err("has an empty part in its name".into())
    } else if name.len() > 1_011 {
        Err("is longer than parameter names can be".into())
    } else {
        Ok(())
    }
}

fn check_selector(selector: Option<&str>) -> Result<(), Reason> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    match selector {
        None => Ok(()),
        Some(selector) if !selector.is_empty() && selector.bytes().all(allowed) => Ok(()),
        Some(_) => Err("has a version or label that parameters do not have".into()),
    }
}

fn parse_object(text: &str) -> Result<S3Object, Reason> {
    let (text, fragment) = match text.split_once('#') {
        None => (text, None),
        Some((text, fragment)) => (text, Some(fragment)),
    };
    let (path, query) = split_query(text);
    if path.starts_with("arn:") {
        return Err("is an ARN: use the name of the bucket, or the alias of the access point".into());
    }
    let Some((bucket, key)) = path.split_once('/') else {
        return Err("names no key".into());
    };
    check_bucket(bucket)?;
    let key = unescape(key)?;
    if key.is_empty() {
        return Err("names no key".into());
    }
    if key.ends_with('/') {
        return Err("names a folder, not an object".into());
    }
    if key.len() > MAX_KEY_BYTES {
        return Err("is longer than keys can be".into());
    }
    let mut query = Query::parse(query)?;
    let version_id = query.take("versionId");
    let region = query.take("region").map(region).transpose()?;
    let owner = query.take("owner");
    query.finish("versionId, region, owner")?;
    if let Some(owner) = &owner {
        check_account(owner)?;
    }
    Ok(S3Object {
        bucket: bucket.into(),
        key,
        version_id,
        region,
        owner,
        sha256: fragment.map(parse_digest).transpose()?,
    })
}

fn check_bucket(bucket: &str) -> Result<(), Reason> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let ends = |edge: char| edge.is_ascii_lowercase() || edge.is_ascii_digit();
    if (3..=63).contains(&bucket.len())
        && bucket.bytes().all(allowed)
        && bucket.starts_with(ends)
        && bucket.ends_with(ends)
    {
        Ok(())
    } else {
        Err("has no valid bucket name: 3 to 63 of `a-z`, `0-9`, `.` and `-`".into())
    }
}

fn check_account(account: &str) -> Result<(), Reason> {
    if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err("has an account that is not 12 digits".into())
    }
}

fn region(region: String) -> Result<String, Reason> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.contains('-') && region.len() <= 32 && region.bytes().all(allowed) {
        Ok(region)
    } else {
        Err(format!(
            "has the region `{region}`, which is not like `eu-central-1`"
        ))
    }
}

fn parse_digest(fragment: &str) -> Result<String, Reason> {
    match fragment.strip_prefix("sha256=") {
        Some(digest) if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(digest.to_ascii_lowercase())
        }
        _ => Err("has something after `#` that is not `sha256=` and 64 hexadecimal digits".into()),
    }
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        None => (text, None),
        Some((before, query)) => (before, Some(query)),
    }
}

/// The parameters after the question mark, each to be taken once.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: Option<&str>) -> Result<Self, Reason> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if value.is_empty() {
                return Err(format!("has no value for its parameter `{name}`"));
            }
            if all.iter().any(|(other, _)| other == name) {
                return Err(format!("has its parameter `{name}` twice"));
            }
            all.push((name.to_owned(), unescape(value)?));
        }
        Ok(Self(all))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(position).1)
    }

    fn finish(self, allowed: &str) -> Result<(), Reason> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("has the unknown parameter `{name}`; there is {allowed}")),
        }
    }
}

fn unescape(text: &str) -> Result<String, Reason> {
    let mut after_percent = text.split('%');
    after_percent.next();
    let is_escape =
        |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if !after_percent.all(is_escape) {
        return Err("has a `%` without two hexadecimal digits; write `%25` for the sign itself".into());
    }
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| "has escapes that are not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<Source>().unwrap_err().to_string()
    }

    #[test]
    fn every_form_displays_as_it_was_written() {
        for text in [
            "file:/etc/alb-mtls/anchors.pem",
            "ssm:/mtls/anchors",
            "ssm:corporate-ca",
            "ssm:/mtls/anchors:3",
            "ssm:/mtls/anchors:live?region=eu-west-1",
            "ssm:/mtls/anchors/*",
            "ssm:/*",
            "ssm:/mtls/*?region=eu-west-1",
            "ssm:arn:aws:ssm:eu-central-1:111122223333:parameter/mtls/anchors",
            "ssm:arn:aws-us-gov:ssm:us-gov-west-1:111122223333:parameter/mtls/anchors:7",
            "s3://pki-bundles/anchors.pem",
            "s3://pki-bundles/with%20space%25%3F%23/%26.pem?versionId=a%26b&region=eu-west-1&owner=111122223333",
            "s3://pki/a?versionId=null#sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_region_in_an_arn_is_where_it_is_asked() {
        let source = "ssm:arn:aws:ssm:eu-central-1:111122223333:parameter/a"
            .parse()
            .unwrap();
        let Source::Parameter(parameter) = source else {
            panic!("{source:?}")
        };
        assert_eq!(parameter.region.as_deref(), Some("eu-central-1"));
        assert_eq!(
            parameter.name,
            "arn:aws:ssm:eu-central-1:111122223333:parameter/a"
        );
    }

    #[test]
    fn keys_are_unescaped() {
        let Source::Object(object) = "s3://pki-bundles/a%20b/%C3%A9?versionId=x%3D".parse().unwrap() else {
            panic!()
        };
        assert_eq!(object.key, "a b/é");
        assert_eq!(object.version_id.as_deref(), Some("x="));
    }

    #[test]
    fn refuses_what_is_not_a_source_and_says_why() {
        for (text, reason) in [
            ("", "has no known scheme"),
            ("anchors.pem", "has no known scheme"),
            ("/etc/anchors.pem", "has no known scheme"),
            ("http://example.com/anchors.pem", "has no known scheme"),
            ("S3://bucket/key", "has no known scheme"),
            (
                "arn:aws:ssm:eu-west-1:111122223333:parameter/a",
                "write `ssm:arn:aws:ssm:eu-west-1:",
            ),
            ("arn:aws:s3:::bucket/a/b.pem", "write `s3://bucket/a/b.pem`"),
            (
                "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/x",
                "the ARN of something else",
            ),
            ("-----BEGIN", "the setting names where the PEM text is"),
            ("/etc/ssl/ca.pem", "write `file:/etc/ssl/ca.pem`"),
            ("https://ca.example/root.pem", "URLs are not read"),
            ("s3:/bucket/key", "has no known scheme"),
            ("file:anchors.pem", "needs an absolute path"),
            ("file:", "needs an absolute path"),
            ("file:/etc/", "names a directory"),
            ("file://host/anchors.pem", "names a host"),
            ("ssm:", "names no parameter"),
            ("ssm:/a/*/b", "has a `*`"),
            ("ssm:/a*", "has a `*`"),
            ("ssm:a/*", "begins with a slash"),
            ("ssm://a", "has an empty part"),
            ("ssm:/a/", "has an empty part"),
            ("ssm:/a//*", "has an empty part"),
            ("ssm:/a b", "has a character"),
            ("ssm:/a:", "has a version or label"),
            ("ssm:/a:1:2", "has a version or label"),
            ("ssm:/a?Region=eu-west-1", "unknown parameter `Region`"),
            ("ssm:/a?region=", "no value"),
            ("ssm:/a?region=Frankfurt", "not like `eu-central-1`"),
            ("ssm:arn:aws:s3:::bucket/key", "is not the ARN of a parameter"),
            (
                "ssm:arn:aws:ssm:eu-west-1:111122223333:document/a",
                "`parameter/` is missing",
            ),
            (
                "ssm:arn:aws:ssm:eu-west-1:111122223333:parameter/a/*",
                "one by one",
            ),
            ("ssm:arn:aws:ssm:eu-west-1:1111:parameter/a", "is not 12 digits"),
            ("s3://bucket", "names no key"),
            ("s3://bucket/", "names no key"),
            ("s3://bucket/folder/", "names a folder"),
            ("s3://Bucket/key", "no valid bucket name"),
            ("s3://b/key", "no valid bucket name"),
            ("s3://-bucket/key", "no valid bucket name"),
            (
                "s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/a/key",
                "alias of the access point",
            ),
            ("s3://bucket/100%", "has a `%`"),
            ("s3://bucket/%FF", "not UTF-8"),
            ("s3://bucket/key?versionId", "no value"),
            ("s3://bucket/key?versionId=a&versionId=b", "`versionId` twice"),
            ("s3://bucket/key?version=a", "unknown parameter `version`"),
            ("s3://bucket/key?owner=me", "is not 12 digits"),
            ("s3://bucket/key#sha256=abc", "64 hexadecimal digits"),
            ("s3://bucket/key#", "64 hexadecimal digits"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.contains(reason), "{text}: {refusal}");
            assert!(refusal.starts_with(&format!("`{text}` ")), "{refusal}");
            assert!(refusal.ends_with(FORMS), "{refusal}");
        }
    }

    #[test]
    fn sources_are_words_and_the_wrong_one_is_named() {
        let sources: Sources = " ssm:/a\n\ts3://bucket/key  file:/b ".parse().unwrap();
        assert_eq!(sources.to_string(), "ssm:/a s3://bucket/key file:/b");

        let error = "ssm:/a, s3://bucket/key".parse::<Sources>().unwrap_err();
        assert!(
            error.to_string().starts_with("`ssm:/a,` has a character"),
            "{error}"
        );
        assert_eq!(" \n".parse::<Sources>(), Err(InvalidSources::None));
        assert_eq!(
            "ssm:/a file:/b ssm:/a".parse::<Sources>(),
            Err(InvalidSources::Repeated("ssm:/a".into()))
        );
    }
}
