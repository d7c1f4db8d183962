//! The seam for sources: what each place of content can do, and the row that announces it.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::document::{Document, Revision};
use crate::fetch_error::FetchError;

/// Reason why a word does not name a source, in words that follow the word itself.
pub(super) type Reason = String;

/// Row of the table of sources: a form in which settings and the command line name a source.
#[derive(Debug)]
pub struct SourceForm {
    /// Beginning of every such word.
    pub scheme: &'static str,
    /// The form, such as `ssm:/name`.
    pub form: &'static str,
    /// Contents of such a source, as a noun phrase.
    pub meaning: &'static str,
    /// IAM actions that the role of a reader needs, in Markdown; empty for a source that is not in
    /// AWS.
    pub permissions: &'static str,
    /// Uses other than reading trust material.
    pub uses: &'static [SourceUse],
    /// Parses what follows the scheme.
    pub(super) parse: fn(&str) -> Result<Source, Reason>,
    /// Returns the source that a word without a known scheme probably means.
    pub(super) suggest: fn(&str) -> Option<String>,
}

/// Use of a source other than reading trust material from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceUse {
    /// Secret keys. Access to the source is granted by name, and it is encrypted or local.
    Keys,
    /// Pointers: instead of material, a document can name an object with the material.
    Pointer,
    /// Material that `alb-mtls bundle publish` writes.
    Publishing,
}

/// Documents that are being read.
pub(crate) type Fetching<'a> = BoxFuture<'a, Result<Vec<Document>, FetchError>>;

/// Place that content is read from.
///
/// A new kind of source is a type with this trait in a file of its own, and a row in the table of
/// forms.
pub(crate) trait Place: Any + fmt::Debug + fmt::Display + Send + Sync {
    /// Returns the row of the table that the place belongs to.
    fn form(&self) -> &'static SourceForm;

    /// Reads the documents of the place: one, or several in a stable order.
    ///
    /// Content of a known revision need not be transferred. The limit holds for each document and
    /// for all of them together.
    fn read<'a>(&'a self, reading: Reading<'a>) -> Fetching<'a> {
        _ = reading;
        // With the feature, the places in AWS have their own `read`.
        let error = FetchError::Setup(
            "this program was built without AWS support: only `file:` sources can be read (cargo feature `aws`)"
                .into(),
        );
        Box::pin(std::future::ready(Err(error)))
    }

    /// Checks that new content can be written to the place.
    ///
    /// # Errors
    /// The reason and the remedy, in words that follow the source.
    fn check_writable(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// Circumstances of one read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// Clients of the AWS SDK, made when they are first needed.
    #[cfg(feature = "aws")]
    pub(crate) aws: &'a crate::aws::LazyClients,
    /// Revisions whose content the caller has.
    #[cfg_attr(
        not(feature = "aws"),
        expect(dead_code, reason = "only S3 can tell that content is unchanged")
    )]
    pub(crate) known: &'a [Revision],
    /// Most bytes that are read into memory.
    pub(crate) limit: usize,
    /// Set if a large CRL can be read while it arrives.
    pub(crate) reads_lists: bool,
}

/// Source that material is read from.
///
/// ```
/// use alb_mtls_trust::{S3Object, Source};
///
/// let source: Source = "s3://pki-bundles/anchors.pem?versionId=3HL4kqtJ&region=eu-central-1".parse()?;
/// let object: &S3Object = source.downcast_ref().unwrap();
/// assert_eq!((object.bucket.as_str(), object.key.as_str()), ("pki-bundles", "anchors.pem"));
///
/// let error = "S3://pki-bundles/anchors.pem".parse::<Source>().unwrap_err();
/// assert!(error.to_string().starts_with("`S3://pki-bundles/anchors.pem` has no known scheme"));
/// # Ok::<_, alb_mtls_trust::InvalidSource>(())
/// ```
#[derive(Clone)]
pub struct Source {
    /// The source as it is written. It tells sources apart.
    text: Arc<str>,
    place: Arc<dyn Place>,
}

impl Source {
    pub(super) fn new(place: impl Place) -> Self {
        Self {
            text: place.to_string().into(),
            place: Arc::new(place),
        }
    }

    /// Returns the row of the table of sources that this one belongs to.
    pub fn form(&self) -> &'static SourceForm {
        self.place.form()
    }

    /// Returns true if sources of this form can be used so.
    pub fn is_for(&self, wanted: SourceUse) -> bool {
        self.form().uses.contains(&wanted)
    }

    /// Checks that new content can be written to the source.
    ///
    /// # Errors
    /// The reason and the remedy, in words that follow the source, such as "names a version: …".
    pub fn check_writable(&self) -> Result<(), &'static str> {
        self.place.check_writable()
    }

    /// Returns the place as the type of its kind, such as [`S3Object`](crate::S3Object); `None` for
    /// another kind.
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        let place: &dyn Any = &*self.place;
        place.downcast_ref()
    }

    pub(crate) fn read<'a>(&'a self, reading: Reading<'a>) -> Fetching<'a> {
        self.place.read(reading)
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Source {}

impl Hash for Source {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(formatter)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
