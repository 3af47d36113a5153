//! What a translation could not say in the other API's words.

/// One thing that was left out or changed, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The path in the caller's request.
    pub path: String,
    /// Why.
    pub why: String,
}

/// All losses of one request; they are logged, and told in `x-iflow2api-warning`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

impl Losses {
    /// Notes a loss.
    pub fn add(&mut self, path: impl Into<String>, why: impl Into<String>) {
        self.0.push(Loss { path: path.into(), why: why.into() });
    }

    /// The losses in the order in which they were met.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter()
    }

    /// As short lines, each thing said once.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for loss in &self.0 {
            let line = format!("{}: {}", loss.path, loss.why);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }
}
