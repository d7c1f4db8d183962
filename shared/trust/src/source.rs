//! Sources of material, as settings and the command line name them: one file for each kind, and one
//! row in [`FORMS`].

mod file;
pub(crate) mod intake;
mod place;
mod query;
pub(crate) mod s3;
mod ssm;

use std::fmt;
use std::str::FromStr;

use alb_mtls_settings::{Arn, list};

pub use file::LocalFile;
use place::Reason;
pub(crate) use place::{Place, Reading};
pub use place::{Source, SourceForm, SourceUse};
pub use s3::S3Object;
pub use ssm::{Parameter, ParameterPath};

/// Every form of a source. The parser, errors, `--help` and the documentation are made from it.
pub const FORMS: &[SourceForm] = &[file::FORM, ssm::PARAMETER, ssm::PATH, s3::FORM];

/// Forms of sources in words, such as "`file:/path`, `ssm:/name` or `s3://bucket/key`".
pub const SOURCE_FORMS: &str = list!(forms::<{ FORMS.len() }>(None));

/// Forms of sources of keys in words.
pub const KEY_SOURCE_FORMS: &str = list!(forms::<{ count(SourceUse::Keys) }>(Some(SourceUse::Keys)));

/// Forms of sources that bundles are published to in words.
pub const PUBLISHED_SOURCE_FORMS: &str = list!(forms::<{ count(SourceUse::Publishing) }>(Some(
    SourceUse::Publishing
)));

/// Returns the forms with a use; all without one. `LENGTH` must be their number.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when the program is compiled, where it cannot fail later"
)]
const fn forms<const LENGTH: usize>(wanted: Option<SourceUse>) -> [&'static str; LENGTH] {
    let mut forms = [""; LENGTH];
    let (mut rows, mut found) = (FORMS, 0);
    while let [row, other_rows @ ..] = rows {
        rows = other_rows;
        let is_wanted = match wanted {
            None => true,
            Some(wanted) => has_use(row.uses, wanted),
        };
        if is_wanted {
            forms[found] = row.form;
            found += 1;
        }
    }
    forms
}

/// Returns the number of forms with a use.
const fn count(wanted: SourceUse) -> usize {
    let (mut rows, mut count) = (FORMS, 0);
    while let [row, other_rows @ ..] = rows {
        rows = other_rows;
        count += has_use(row.uses, wanted) as usize;
    }
    count
}

const fn has_use(mut uses: &[SourceUse], wanted: SourceUse) -> bool {
    while let [first, others @ ..] = uses {
        // `==` of an enum is not a constant function; the uses have no fields.
        if *first as u8 == wanted as u8 {
            return true;
        }
        uses = others;
    }
    false
}

/// The text does not name a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` {reason}; a source is {SOURCE_FORMS}")]
pub struct InvalidSource {
    word: String,
    reason: Reason,
}

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(word: &str) -> Result<Self, InvalidSource> {
        let mut rows = FORMS.iter();
        let parsed = match rows.find_map(|row| Some((row, word.strip_prefix(row.scheme)?))) {
            Some((row, rest)) => (row.parse)(rest),
            None => Err(without_scheme(word)),
        };
        parsed.map_err(|reason| InvalidSource {
            word: word.to_owned(),
            reason,
        })
    }
}

/// Explains how to write a word that names the place in another way.
fn without_scheme(word: &str) -> Reason {
    let remedy = if let Some(meant) = FORMS.iter().find_map(|row| (row.suggest)(word)) {
        format!(": write `{meant}`")
    } else if Arn::split(word).is_some() {
        ": it is the ARN of something else, whose content has to be stored".to_owned()
    } else if word.starts_with("-----BEGIN") {
        ": the setting names where the PEM text is, and does not contain it".to_owned()
    } else if word.starts_with("http:") || word.starts_with("https:") {
        ": URLs are not read, store the content in S3, SSM or a file".to_owned()
    } else {
        String::new()
    };
    format!("has no known scheme{remedy}")
}

/// Sources in the order in which they were named, at least one and none of them twice.
///
/// In text, white space separates them.
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
    /// Creates it from sources in this order.
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

    /// Returns the sources in order; there is at least one.
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
    #[error("no source is named; a source is {SOURCE_FORMS}")]
    None,
    /// A word of it is not a source.
    #[error("{0}")]
    Source(#[from] InvalidSource),
    /// A source is named more than once, which is never meant.
    #[error("`{0}` is named twice")]
    Repeated(String),
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
        let source: Source = "ssm:arn:aws:ssm:eu-central-1:111122223333:parameter/a"
            .parse()
            .unwrap();
        let parameter: &Parameter = source.downcast_ref().unwrap();
        assert_eq!(parameter.region.as_deref(), Some("eu-central-1"));
        assert_eq!(
            parameter.name,
            "arn:aws:ssm:eu-central-1:111122223333:parameter/a"
        );
    }

    #[test]
    fn keys_are_unescaped() {
        let source: Source = "s3://pki-bundles/a%20b/%C3%A9?versionId=x%3D".parse().unwrap();
        let object: &S3Object = source.downcast_ref().unwrap();
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
            assert!(refusal.ends_with(SOURCE_FORMS), "{refusal}");
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
