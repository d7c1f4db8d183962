//! Places of lists, read and written so that two operators at once lose no entry.

use std::fmt;
use std::path::{Path, PathBuf};

use alb_mtls_trust::{
    Content, DenyList, Document, Loader, LocalFile, MAX_DENY_LIST_BYTES, Parameter, S3Object, Source,
};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};

use crate::bundle::{SourceOrPath, objects, patience, service_error};

/// Most bytes of a parameter of the standard tier, and of the advanced one, which is charged.
const TIERS: [usize; 2] = [4_096, 8_192];

/// A list in its place.
pub(crate) struct Place {
    loader: Loader,
    source: Source,
}

/// Text of a list, and what tells whether it is still the same.
pub(crate) struct Read {
    pub(crate) text: String,
    version: Version,
}

/// State of the place when it was read.
#[derive(Clone)]
pub(crate) enum Version {
    /// There is nothing.
    Absent,
    Object(Option<String>),
    Parameter(i64),
    File(String),
}

/// Outcome of writing.
pub(crate) enum Written {
    Done,
    /// Another writer was quicker: read again.
    Conflict,
    /// SSM replaced what another writer had written meanwhile, which is this: make the change to it
    /// and write again.
    Overwrote(Read),
}

impl Place {
    pub(crate) fn new(source: &SourceOrPath) -> Result<Self, String> {
        let source = source.source().clone();
        source
            .check_writable()
            .map_err(|reason| format!("`{source}` {reason}"))?;
        let is_one = source.downcast_ref::<S3Object>().is_some()
            || source.downcast_ref::<Parameter>().is_some()
            || source.downcast_ref::<LocalFile>().is_some();
        if !is_one {
            return Err(format!(
                "`{source}` is not one place: name the parameter with the list"
            ));
        }
        Ok(Self {
            loader: Loader::new(),
            source,
        })
    }

    /// Reads the list, which must be one.
    pub(crate) async fn read(&self) -> Result<Read, String> {
        let documents = self
            .loader
            .fetch(&self.source, &[], MAX_DENY_LIST_BYTES, patience())
            .await;
        let documents = documents.map_err(|error| match error.is_not_found() {
            true => format!(
                "{error}; `alb-mtls deny create {}` writes a list without entries",
                self.source
            ),
            false => error.to_string(),
        })?;
        let document = documents.into_iter().next();
        let document = document.ok_or_else(|| format!("`{}` has no content", self.source))?;
        if let Some(target) = &document.revision.target {
            return Err(format!(
                "`{}` points to `{target}`: name the object instead",
                self.source
            ));
        }
        self.read_document(document)
    }

    fn read_document(&self, document: Document) -> Result<Read, String> {
        let Content::New(content) = document.content else {
            return Err(format!("`{}` is said to be unchanged", self.source));
        };
        DenyList::parse(content.clone()).map_err(|error| {
            format!(
                "`{}`: {error}: gates refuse this list too; correct it by hand",
                self.source
            )
        })?;
        // It was parsed, so it is text.
        let text = String::from_utf8(content).map_err(|error| error.to_string())?;
        let version = match (
            document.revision.ssm_version,
            self.source.downcast_ref::<LocalFile>(),
        ) {
            (Some(version), _) => Version::Parameter(version),
            (None, Some(_)) => Version::File(text.clone()),
            (None, None) => Version::Object(document.revision.etag),
        };
        Ok(Read { text, version })
    }

    /// Writes a list where there is none.
    pub(crate) async fn create(&self, text: &str) -> Result<Written, String> {
        self.write_over(&Version::Absent, text).await
    }

    /// Writes a list over the one that was read, unless it has changed.
    pub(crate) async fn write(&self, read: &Read, text: &str) -> Result<Written, String> {
        self.write_over(&read.version, text).await
    }

    async fn write_over(&self, version: &Version, text: &str) -> Result<Written, String> {
        if text.len() > MAX_DENY_LIST_BYTES {
            return Err(format!(
                "the list would have {} bytes, and gates read {MAX_DENY_LIST_BYTES}: revoke by CRL what is not urgent",
                text.len()
            ));
        }
        if let Some(object) = self.source.downcast_ref::<S3Object>() {
            self.write_object(object, version, text).await
        } else if let Some(parameter) = self.source.downcast_ref::<Parameter>() {
            self.write_parameter(parameter, version, text).await
        } else if let Some(file) = self.source.downcast_ref::<LocalFile>() {
            write_file(&file.path, version, text)
                .map_err(|error| format!("cannot write `{}`: {error}", self.source))
        } else {
            Err(format!("`{}` cannot be written", self.source))
        }
    }

    /// Writes an object on the condition that it is still the one that was read.
    async fn write_object(
        &self,
        object: &S3Object,
        version: &Version,
        text: &str,
    ) -> Result<Written, String> {
        let clients = self.loader.clients().await;
        let request = objects::put(clients, object, text)?.content_type("text/plain; charset=utf-8");
        let request = match version {
            Version::Object(Some(etag)) => request.if_match(etag),
            _ => request.if_none_match("*"),
        };
        match request.send().await {
            Ok(_) => Ok(Written::Done),
            Err(error) => match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("PreconditionFailed" | "ConditionalRequestConflict") => Ok(Written::Conflict),
                _ => Err(objects::explain(object, error)),
            },
        }
    }

    /// Writes a parameter. SSM knows no condition, but numbers the versions: a gap between the one
    /// that was read and the new one is another writer's, whose list was replaced.
    async fn write_parameter(
        &self,
        parameter: &Parameter,
        version: &Version,
        text: &str,
    ) -> Result<Written, String> {
        let clients = self.loader.clients().await;
        let client = clients
            .parameters(parameter.region.as_deref())
            .map_err(|error| error.to_string())?;
        let tier = match TIERS.map(|bytes| text.len() <= bytes) {
            [true, _] => None,
            [false, true] => Some(ParameterTier::Advanced),
            [false, false] => {
                return Err(format!(
                    "the list would have {} bytes, and a parameter holds {}: move it to an object of S3",
                    text.len(),
                    TIERS[1]
                ));
            }
        };
        let request = client
            .put_parameter()
            .name(&parameter.name)
            .value(text)
            .r#type(ParameterType::String)
            .set_tier(tier)
            .overwrite(!matches!(version, Version::Absent));
        let output = match request.send().await {
            Ok(output) => output,
            Err(error)
                if error.as_service_error().and_then(ProvideErrorMetadata::code)
                    == Some("ParameterAlreadyExists") =>
            {
                return Ok(Written::Conflict);
            }
            Err(error) => {
                return Err(service_error::explain(
                    error,
                    &format!("write `{parameter}`"),
                    "ssm:PutParameter",
                ));
            }
        };
        match version {
            Version::Parameter(read) if output.version > read + 1 => self
                .read_overwritten(parameter, output.version)
                .await
                .map(Written::Overwrote),
            _ => Ok(Written::Done),
        }
    }

    /// Reads the version before the one that was just written.
    async fn read_overwritten(&self, parameter: &Parameter, written: i64) -> Result<Read, String> {
        let before = Source::from(Parameter {
            name: format!("{}:{}", parameter.name, written - 1),
            region: parameter.region.clone(),
        });
        let documents = self
            .loader
            .fetch(&before, &[], MAX_DENY_LIST_BYTES, patience())
            .await;
        let documents = documents.map_err(|error| {
            format!("another writer's list was replaced, and it cannot be read to merge it: {error}")
        })?;
        let document = documents.into_iter().next();
        let document = document.ok_or_else(|| format!("`{before}` has no content"))?;
        let read = self.read_document(document)?;
        Ok(Read {
            version: Version::Parameter(written),
            ..read
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, formatter)
    }
}

/// Replaces a file such that a reader finds the old list or the new one, never a part.
fn write_file(path: &Path, version: &Version, text: &str) -> std::io::Result<Written> {
    let Version::File(read) = version else {
        return match std::fs::File::create_new(path) {
            Ok(mut file) => std::io::Write::write_all(&mut file, text.as_bytes()).map(|()| Written::Done),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Written::Conflict),
            Err(error) => Err(error),
        };
    };
    if std::fs::read(path)? != read.as_bytes() {
        return Ok(Written::Conflict);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, std::fs::metadata(path)?.permissions())?;
    std::fs::rename(&beside, path)?;
    Ok(Written::Done)
}
