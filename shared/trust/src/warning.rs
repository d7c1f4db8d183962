use alb_mtls_verifier::Timestamp;

/// Something about the material that an operator should look after. It does not keep the material from being used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A trust anchor whose validity is over.
    #[error("{anchor} expired at {not_after}: clients that chain to it are refused")]
    Expired {
        /// The anchor and where it is.
        anchor: Named,
        /// Last second of its validity.
        not_after: Timestamp,
    },
    /// A trust anchor that will expire soon.
    #[error("{anchor} expires at {not_after}, in {days} days")]
    Expiring {
        /// The anchor and where it is.
        anchor: Named,
        /// Last second of its validity.
        not_after: Timestamp,
        /// Whole days left.
        days: i64,
    },
    /// A trust anchor whose validity has not begun.
    #[error("{anchor} is not valid before {not_before}")]
    NotYetValid {
        /// The anchor and where it is.
        anchor: Named,
        /// First second of its validity.
        not_before: Timestamp,
    },
    /// A certificate that occurs again.
    #[error("{certificate} is the same certificate as entry {first_entry} of `{first_origin}`")]
    Duplicate {
        /// The second occurrence.
        certificate: Named,
        /// Where the first one is.
        first_origin: String,
        /// Number of the first one, from 1.
        first_entry: usize,
    },
    /// A key that is to be replaced.
    #[error(
        "{anchor} has an RSA key of {bits} bits, which NIST SP 800-131A disallows after 2030, and is valid until {not_after}"
    )]
    WeakKey {
        /// The anchor and where it is.
        anchor: Named,
        /// Length of the modulus.
        bits: usize,
        /// Last second of its validity.
        not_after: Timestamp,
    },
    /// A certificate of X.509 version 1 or 2.
    #[error(
        "{anchor} is not an X.509 version 3 certificate, and a load balancer in verify mode refuses those"
    )]
    NotVersion3 {
        /// The anchor and where it is.
        anchor: Named,
    },
    /// Two different trust anchors with one name.
    #[error(
        "{anchor} has the same subject as entry {first_entry} of `{first_origin}`, as while a CA is renewed"
    )]
    SharedName {
        /// The second one with the name.
        anchor: Named,
        /// Where the first one is.
        first_origin: String,
        /// Number of the first one, from 1.
        first_entry: usize,
    },
}

/// How much a warning matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// May well be meant.
    Notice,
    /// Should be mended.
    Warning,
}

impl Warning {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Expired { .. }
            | Self::Expiring { .. }
            | Self::Duplicate { .. }
            | Self::NotVersion3 { .. } => Severity::Warning,
            Self::NotYetValid { .. } | Self::WeakKey { .. } | Self::SharedName { .. } => Severity::Notice,
        }
    }

    /// A stable word for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "anchor_expired",
            Self::Expiring { .. } => "anchor_expiring",
            Self::NotYetValid { .. } => "anchor_not_yet_valid",
            Self::Duplicate { .. } => "duplicate",
            Self::WeakKey { .. } => "weak_key",
            Self::NotVersion3 { .. } => "not_version_3",
            Self::SharedName { .. } => "shared_name",
        }
    }
}

/// A certificate and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The file, parameter or object.
    pub origin: String,
    /// Number of the entry in it, from 1.
    pub entry: usize,
    /// The certificate's subject (RFC 4514).
    pub subject: String,
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "entry {} of `{}` ({})",
            self.entry, self.origin, self.subject
        )
    }
}
