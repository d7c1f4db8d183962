//! The form of every table of reasons.

/// Defines an enum of reasons from a table with one row a reason.
///
/// A row is a variant, a [`ReasonCode`](crate::ReasonCode), the finer reason in `snake_case`, what
/// happened as one clause, and what the operator can do about it as one clause. Code, documentation
/// and tests read the same rows.
///
/// ```
/// alb_mtls_verifier::reason_table! {
///     /// Reason for which a badge is refused.
///     pub enum BadgeReason;
///     Lost, ClientCertRejected, "badge_lost", "the badge was reported lost", "issue another badge";
/// }
/// assert_eq!(BadgeReason::ALL, [BadgeReason::Lost]);
/// assert_eq!(BadgeReason::Lost.detail(), "badge_lost");
/// ```
#[macro_export]
macro_rules! reason_table {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident;
        $($variant:ident, $code:ident, $detail:literal, $meaning:literal, $remedy:literal;)+
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = concat!("`", $detail, "`: ", $meaning, ".")] $variant,)+
        }

        impl $name {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the code in the words of the load balancer's connection log.
            pub const fn code(self) -> $crate::ReasonCode {
                match self { $(Self::$variant => $crate::ReasonCode::$code,)+ }
            }

            /// Returns the finer reason in `snake_case`; stable, for logs, metrics and queries.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }

            /// Returns what happened, as one clause.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// Returns what the operator can do about it, as one clause.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}
