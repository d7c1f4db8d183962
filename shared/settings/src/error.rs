//! Errors of settings.

/// A setting that is missing, unknown or wrong. Displays as one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A required variable is not set.
    #[error("{name} is not set: {meaning}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// Meaning of the variable.
        meaning: &'static str,
    },
    /// A variable has a value that is not allowed.
    #[error("{name} holds `{}`: it takes {takes}", value.escape_debug())]
    Wrong {
        /// The variable.
        name: &'static str,
        /// Value of the variable.
        value: String,
        /// Allowed values.
        takes: String,
    },
    /// A variable is set that has no effect as things are.
    #[error("{name} has no effect {without}")]
    Useless {
        /// The variable.
        name: &'static str,
        /// Condition that is missing, beginning with `without`.
        without: &'static str,
    },
    /// No variable of this name exists.
    #[error("{name} is not a setting{}", nearest.map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default())]
    Unknown {
        /// The variable.
        name: String,
        /// The variable that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A variable has the name of a setting in another letter case.
    #[error("{name} is not a setting: its letter case is wrong, write {setting}")]
    LetterCase {
        /// Name of the variable.
        name: String,
        /// Name of the setting.
        setting: &'static str,
    },
    /// A variable is not valid Unicode.
    #[error("{name} is not valid Unicode")]
    NotUnicode {
        /// The variable.
        name: String,
    },
}
