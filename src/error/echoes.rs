//! A secret taken out of what somebody else says: servers repeat what they were shown, as it is, as a URL has it, in
//! base64 with something before it, or cut.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What is shown in its place.
const REDACTED: &str = "(redacted)";
/// What is shorter guards nothing: it is what a server without keys is given, such as `ollama`, and a word that
/// messages have other reasons to say.
const SHORTEST: usize = 8;

/// The text without the secret; `None` where it does not hold it.
pub fn without(text: &str, secret: &str) -> Option<String> {
    if secret.len() < SHORTEST {
        return None;
    }
    let mut left = text.to_owned();
    for form in forms(secret) {
        let mut at = 0;
        while let Some(rest) = left.get(at..) {
            let Some(length) = length_of(rest.as_bytes(), form.as_bytes()) else {
                // To the next character.
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            };
            left.replace_range(at..at + length, REDACTED);
            at += REDACTED.len();
        }
    }
    (left != text).then_some(left)
}

/// How many bytes at the beginning of a text are this form, each of its bytes written as it is or as `%2F`. Words that
/// are too long are cut, so that at the end of the text a part of it will do.
fn length_of(text: &[u8], form: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (index, byte) in form.iter().enumerate() {
        match text.get(at..) {
            None | Some([]) => return (index >= SHORTEST).then_some(at),
            Some([first, ..]) if first == byte => at += 1,
            Some([b'%', high, low, ..])
                if digit(*high).zip(digit(*low)).is_some_and(|(high, low)| high * 16 + low == *byte) =>
            {
                at += 3;
            }
            Some([b'%'] | [b'%', _]) if index >= SHORTEST => return Some(text.len()),
            Some(_) => return None,
        }
    }
    Some(at)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// As it is, and in base64: there it depends on what stands before it, but this is the same for every such text. Of
/// what stands behind it the last digit may depend.
fn forms(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned()];
    for (before, skipped) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        let whole = bytes.len() * 8 / 6;
        for coded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            all.extend(coded.get(skipped..whole).map(str::to_owned));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let secret = "sk-1+2/3~4=?5-üx";
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}{secret}");
            for coded in [
                STANDARD.encode(&text),
                URL_SAFE.encode(format!("{text}:x")),
                STANDARD.encode(format!("{text}xy")),
            ] {
                let left = without(&format!("not {coded}!"), secret).unwrap();
                assert!(left.starts_with("not ") && left.ends_with('!'), "{left}");
                let rest = left.replace(REDACTED, "");
                assert!(rest.len() <= "not !".len() + 12, "{coded}: {left}");
            }
        }
        for text in [
            secret,
            "sk-1%2B2%2F3%7E4%3D%3F5-%C3%BCx",
            "sk-1%2b2%2f3%7e4%3d%3f5-%c3%bcx",
            "sk-1%2B2%2F3~4%3D%3F5-%C3%BCx",
        ] {
            assert_eq!(without(&format!("a {text} b {text}"), secret).unwrap(), "a (redacted) b (redacted)");
        }
        assert_eq!(without("not sk-1+2/3~4", secret).unwrap(), "not (redacted)");
        assert_eq!(without("not sk-1+2/", secret), None, "seven characters tell nothing");
        assert_eq!(without("not ollama", "ollama"), None);
        assert_eq!(without("nothing of it", secret), None);
    }
}
