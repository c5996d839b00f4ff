//! Texts as a terminal may show them: nothing in a name can move the cursor or push a column away.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text without control characters and what has no width of its own, in at most `width` columns.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    let mut used = 0;
    // How much of it may stay if the rest does not fit: an ellipsis takes a column.
    let mut short = 0;
    for char in text.chars() {
        used += push(&mut fitted, char);
        if used > width {
            fitted.truncate(short);
            if width > 0 {
                fitted.push('…');
            }
            return fitted;
        }
        if used < width {
            short = fitted.len();
        }
    }
    fitted
}

/// Adds a character, escaped if it has no width. How many columns it takes.
fn push(text: &mut String, char: char) -> usize {
    match char.width() {
        // Controls, and what joins, overlays or turns round what stands beside it.
        None | Some(0) => {
            let escaped = char.escape_default();
            let width = escaped.clone().count();
            text.extend(escaped);
            width
        }
        Some(width) => {
            text.push(char);
            width
        }
    }
}

/// The same, of any length.
pub(crate) fn clean(text: &str) -> String {
    fit(text, usize::MAX)
}

pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Filled up to `width` with blanks, on the left where numbers are compared.
pub(crate) fn pad(text: &str, width: usize, right: bool) -> String {
    let text = fit(text, width);
    let blanks = " ".repeat(width.saturating_sub(self::width(&text)));
    if right { blanks + &text } else { text + &blanks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_shown_and_the_rest_is_hinted_at() {
        for (text, columns, shown) in [
            ("ring 0", 6, "ring 0"),
            ("ring 0", 5, "ring…"),
            ("ring 0", 1, "…"),
            ("ring 0", 0, ""),
            ("", 0, ""),
            // Two columns each.
            ("画面画面", 8, "画面画面"),
            ("画面画面", 7, "画面画…"),
            ("画面画面", 6, "画面…"),
            ("画面画面", 2, "…"),
        ] {
            let fitted = fit(text, columns);
            assert_eq!(fitted, shown, "{text} in {columns}");
            assert!(width(&fitted) <= columns);
        }
    }

    #[test]
    fn nothing_reaches_the_terminal_that_could_steer_it() {
        assert_eq!(clean("a\nb\x1b[31mc\x07"), r"a\nb\u{1b}[31mc\u{7}");
        // C1 controls, a bidirectional override, a zero-width joiner, a combining accent.
        assert_eq!(clean("\u{9b}\u{202e}\u{200d}e\u{301}"), r"\u{9b}\u{202e}\u{200d}e\u{301}");
        for columns in 0..40 {
            let fitted = fit("\x1b]0;title\x07 画\u{301}\u{fffd}", columns);
            assert!(width(&fitted) <= columns && !fitted.chars().any(char::is_control), "{fitted}");
        }
        assert_eq!(width(&pad(&"x".repeat(300), 20, false)), 20);
        assert_eq!(pad("画", 4, true), "  画");
    }
}
