//! X.509: what certificates and CRLs are made of, read without copying and without judging it.

pub(crate) mod algorithm_name;
pub(crate) mod alternative_name;
pub(crate) mod certificate;
pub(crate) mod critical_extensions;
pub(crate) mod der;
pub(crate) mod extensions;
pub(crate) mod name;
pub(crate) mod name_constraints;
pub(crate) mod oid;
pub(crate) mod payment_roles;
pub(crate) mod policies;
pub(crate) mod public_key;
pub(crate) mod summary;
pub(crate) mod time;
