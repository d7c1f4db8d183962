//! Folding of path segments, for comparison as the least strict servers compare them.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Folds a segment for comparison: at least as coarse as Unicode's NFKC_Casefold. Marks on letters
/// are left out too, as in collations of databases (`utf8mb4_0900_ai_ci`) and best-fit code pages.
pub(super) fn fold(segment: &str) -> String {
    if segment.is_ascii() {
        let folded = segment.to_ascii_lowercase();
        return match folded.contains('+') {
            true => trimmed(folded.replace('+', " ")),
            false => folded,
        };
    }
    // Three steps, because the upper-case form of some lower-case letters (ſ, ς, ß) has another
    // lower-case form.
    let folded = segment
        .nfkd()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|character| counts(*character))
        .map(|character| if character == '+' { ' ' } else { character });
    trimmed(folded.collect())
}

fn trimmed(text: String) -> String {
    text.trim_matches(' ').to_owned()
}

/// Returns `true` for a character that is neither a mark on the one before it nor invisible
/// (Default_Ignorable_Code_Point of Unicode 16, without marks).
fn counts(character: char) -> bool {
    let is_ignorable = matches!(
        character,
        '\u{AD}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    );
    !is_ignorable && !is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_as_coarse_as_full_case_folding() {
        for character in '\0'..=char::MAX {
            let own = String::from(character);
            for mapped in [
                character.to_lowercase().collect::<String>(),
                character.to_uppercase().collect(),
                std::iter::once(character).nfkc().collect(),
                std::iter::once(character).nfkd().collect(),
            ] {
                if mapped != own {
                    let (own, mapped) = (fold(&format!("x{own}x")), fold(&format!("x{mapped}x")));
                    assert_eq!(own, mapped, "U+{:04X}", u32::from(character));
                }
            }
        }
    }
}
