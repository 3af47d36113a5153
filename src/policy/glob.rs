//! Names with `*` in them, which stands for any text. Case does not count: providers are not of one mind.

/// A pattern for names of models and providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// A pattern; without a `*` it is one name.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_lowercase())
    }

    /// Whether the pattern has no `*`.
    pub fn is_plain(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether a name fits the pattern as a whole.
    pub fn matches(&self, name: &str) -> bool {
        self.matches_lower(&name.to_lowercase())
    }

    /// The same for a name that is in lower case already.
    pub fn matches_lower(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            let Some(at) = rest.find(piece) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

/// Whether one of several patterns fits a name in lower case.
pub fn any(globs: &[Glob], name: &str) -> bool {
    globs.iter().any(|glob| glob.matches_lower(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("glm-4.7", "GLM-4.7", true),
            ("glm-4.7", "glm-4.7-flash", false),
            ("glm-4.7*", "glm-4.7-flash", true),
            ("*", "", true),
            ("*glm*", "zai-org/GLM-5.2", true),
            ("claude-*-haiku*", "claude-3-5-haiku-latest", true),
            ("claude-*-haiku*", "claude-haiku-4", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*-thinking", "x-thinking-y", false),
            ("a*b*b", "abb", true),
            ("a*b*b", "ab", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }
}
