//! Verdicts of the verifier, rule by rule. No test lets the two validators disagree.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail"
)]

mod agreement;
mod algorithms;
mod allowed_signatures;
mod anchors;
mod authorities;
mod budgets;
mod certificate_names;
mod certificate_policies;
mod encodings;
mod end_entity;
mod explanation;
mod extensions;
mod file_kinds;
mod identity;
mod issuing_paths;
mod ml_dsa;
mod name_constraints;
mod openssl;
mod paths;
mod signature_cache;
mod support;
mod weights;
