/// Makes an enum whose variants are the words that a setting takes.
///
/// The enum gets `ALL` with every variant in this order, and `as_str` with the word of each.
/// [`Values::word`] reads it. Attributes, `#[default]` among them, stay where they stand.
///
/// ```
/// use alb_mtls_settings::{Values, table, words};
///
/// words! {
///     /// State of a door.
///     #[derive(Default)]
///     pub enum Door {
///         /// Visitors must ring.
///         #[default]
///         Closed = "closed",
///         /// Visitors can walk in.
///         Open = "open",
///     }
/// }
/// table! {
///     pub HOUSE, "HOUSE_";
///     DOOR, "HOUSE_DOOR", Value("closed"), "`closed` or `open`";
/// }
///
/// let values = Values::new(&HOUSE, [("HOUSE_DOOR".to_owned(), "open".to_owned())])?;
/// assert_eq!(values.word(DOOR, Door::ALL, Door::as_str)?, Door::Open);
/// # Ok::<(), alb_mtls_settings::SettingsError>(())
/// ```
///
/// [`Values::word`]: crate::Values::word
#[macro_export]
macro_rules! words {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant,)+
        }

        impl $name {
            /// Every choice, in the order of the documentation.
            $visibility const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the word in settings.
            $visibility const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}
