//! The code of an answer, for scripts that want nothing else.

/// Which of its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first.
    First,
    /// The last.
    Last,
}

/// A fenced block of code in a text, without its fences (<https://spec.commonmark.org/0.31.2/#fenced-code-blocks>). One
/// that is not ended goes on to the end of the text.
pub fn extract(text: &str, which: Which) -> Option<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(char, usize, usize, String)> = None;
    for line in text.lines() {
        let rest = line.trim_start_matches(' ');
        let indent = line.len() - rest.len();
        let fence = ['`', '~'].into_iter().find_map(|mark| {
            let length = rest.chars().take_while(|c| *c == mark).count();
            (length >= 3 && indent < 4).then_some((mark, length, rest.trim_start_matches(mark)))
        });
        open = match (open, fence) {
            (None, Some((mark, length, info))) if mark == '~' || !info.contains('`') => {
                Some((mark, length, indent, String::new()))
            }
            (None, _) => None,
            (Some((mark, length, _, code)), Some((closing, count, info)))
                if closing == mark && count >= length && info.trim().is_empty() =>
            {
                blocks.push(code);
                None
            }
            (Some((mark, length, indented, mut code)), _) => {
                // What the fence was indented by is not the code's.
                let own = line.len() - line.trim_start_matches(' ').len();
                code.push_str(line.get(own.min(indented)..).unwrap_or_default());
                code.push('\n');
                Some((mark, length, indented, code))
            }
        };
    }
    blocks.extend(open.map(|(.., code)| code));
    let found = match which {
        Which::First => blocks.into_iter().next(),
        Which::Last => blocks.pop(),
    };
    found.map(|code| code.trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_what_stands_between_its_fences() {
        for (text, first, last) in [
            ("no code", None, None),
            ("```\na\n```", Some("a"), Some("a")),
            ("x\n```rust\nfn a() {}\n\n    b\n```\ny\n~~~\nc\n~~~\n", Some("fn a() {}\n\n    b"), Some("c")),
            ("````md\n```\nin\n```\n````", Some("```\nin\n```"), Some("```\nin\n```")),
            ("```\nnot ended\n", Some("not ended"), Some("not ended")),
            ("1. x\n   ```sh\n   ls\n     -l\n   ```", Some("ls\n  -l"), Some("ls\n  -l")),
            ("inline ``` no ``` fence", None, None),
            ("``` a`b\nx\n```", Some(""), Some("")),
            ("```\n```\n```\nb\n```", Some(""), Some("b")),
            ("    ```\n    indented code\n    ```", None, None),
            ("~~~\na\n```\n~~~", Some("a\n```"), Some("a\n```")),
        ] {
            assert_eq!(extract(text, Which::First).as_deref(), first, "{text:?}");
            assert_eq!(extract(text, Which::Last).as_deref(), last, "{text:?}");
        }
    }
}
