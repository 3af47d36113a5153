//! The catalogue of providers and models: the rows that are built in, and before them the user's own.
//!
//! Facts live in the TOML files beside this one. They change by the month, so a user can add to them and
//! override them without a release: the same four kinds of rows in `config.toml`.

pub mod rows;

use super::provider::Provider;
use crate::error::{Error, ErrorKind, Result};
use rows::{File, ModelList};
use std::sync::{Arc, LazyLock};

const PROVIDERS: &str = include_str!("providers.toml");
const THINKING: &str = include_str!("thinking.toml");
const ERRORS: &str = include_str!("errors.toml");
const MODELS: &str = include_str!("models.toml");

/// How many rows may extend each other. Chosen: a plan of a region of a provider has two.
const MAX_DEPTH: usize = 8;

/// The preset of a server of which only the address is known.
pub const GENERIC: &str = "openai";

/// All rows, the user's before the built-in ones.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// The day of the built-in rows, `YYYY-MM-DD`.
    checked: String,
    providers: Vec<Arc<rows::Provider>>,
    thinking: Vec<Arc<rows::Thinking>>,
    errors: Vec<Arc<rows::Failure>>,
    models: Vec<Arc<rows::Model>>,
}

/// Read once: it is the same constant text each time.
static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue = Catalogue::default();
    for (text, name) in [
        (PROVIDERS, "providers.toml"),
        (THINKING, "thinking.toml"),
        (ERRORS, "errors.toml"),
        (MODELS, "models.toml"),
    ] {
        let Ok(file) = File::read(text, name) else { unreachable!("a test reads each of these files") };
        catalogue.append(file);
    }
    catalogue
});

impl Catalogue {
    /// The built-in rows alone.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The built-in rows behind those of a user's configuration, named `source` in messages.
    ///
    /// # Errors
    /// `Usage` where a row of the user's is not as the schema says, or extends what is not there.
    pub fn with(text: &str, source: &str) -> Result<Self> {
        let mut catalogue = Self::default();
        let mut file = File::parse(text, source)?;
        file.model.iter_mut().for_each(|row| row.own = true);
        catalogue.append(file);
        let built_in = Self::built_in();
        catalogue.checked.clone_from(&built_in.checked);
        catalogue.providers.extend_from_slice(&built_in.providers);
        catalogue.thinking.extend_from_slice(&built_in.thinking);
        catalogue.errors.extend_from_slice(&built_in.errors);
        catalogue.models.extend_from_slice(&built_in.models);
        for row in &catalogue.providers {
            catalogue.row(&row.id)?;
        }
        Ok(catalogue)
    }

    fn append(&mut self, file: File) {
        if !file.checked.is_empty() {
            self.checked = file.checked;
        }
        self.providers.extend(file.provider.into_iter().map(Arc::new));
        self.thinking.extend(file.thinking.into_iter().map(Arc::new));
        self.errors.extend(file.error.into_iter().map(Arc::new));
        self.models.extend(file.model.into_iter().map(Arc::new));
    }

    /// The names of all presets, the user's first, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.providers {
            if !names.contains(&row.id.as_str()) {
                names.push(&row.id);
            }
        }
        names
    }

    /// Whether there is a preset of this name.
    pub fn is_known(&self, name: &str) -> bool {
        self.providers.iter().any(|row| row.id == name)
    }

    /// The provider of a preset; the generic one for a name that is none.
    pub fn provider(&self, name: &str) -> Provider {
        let row = self.row(name).or_else(|_| self.row(GENERIC)).unwrap_or_default();
        Provider::new(row, &self.thinking, &self.errors, self.models.clone())
    }

    /// A row with all that it extends laid under it. A user's row of a built-in name lies over that.
    ///
    /// # Errors
    /// `Usage` where there is no such preset, or one that extends itself.
    pub fn row(&self, name: &str) -> Result<rows::Provider> {
        let mut found = rows::Provider::default();
        let mut wanted = Some(name.to_owned());
        let mut from = 0;
        for _ in 0..MAX_DEPTH {
            let Some(name) = wanted.take() else {
                found.checked.get_or_insert_with(|| self.checked.clone());
                return Ok(found);
            };
            let rows = self.providers.iter().enumerate().skip(from);
            let Some((at, row)) = rows.into_iter().find(|(_, row)| row.id == name) else {
                let message = format!("there is no preset `{name}`");
                return Err(Error::new(ErrorKind::Usage, message)
                    .with_hint(format!("there are {}", self.names().join(", "))));
            };
            // A row that extends its own name means the next one of that name.
            from = if row.extends.as_deref() == Some(&row.id) { at + 1 } else { 0 };
            wanted.clone_from(&row.extends);
            found.lay_over(row);
        }
        Err(Error::new(ErrorKind::Usage, format!("the preset `{name}` extends itself")))
    }
}

impl rows::Provider {
    /// Takes from another row what this one does not say.
    fn lay_over(&mut self, under: &Self) {
        fn fill<T: Clone>(mine: &mut Option<T>, under: &Option<T>) {
            if mine.is_none() {
                mine.clone_from(under);
            }
        }
        if self.id.is_empty() {
            self.id.clone_from(&under.id);
        }
        self.extends.clone_from(&under.extends);
        // At another host, the other addresses are still those of the provider that is extended, to which neither
        // calls nor keys of this one may go.
        let is_elsewhere = self.base_url.is_some() && host(&self.base_url) != host(&under.base_url);
        if !is_elsewhere {
            fill(&mut self.anthropic_base_url, &under.anthropic_base_url);
            fill(&mut self.prefix_url, &under.prefix_url);
            fill(&mut self.quota, &under.quota);
            fill(&mut self.key_check, &under.key_check);
            fill(&mut self.login, &under.login);
        }
        fill(&mut self.name, &under.name);
        fill(&mut self.status, &under.status);
        fill(&mut self.retired, &under.retired);
        fill(&mut self.base_url, &under.base_url);
        fill(&mut self.auth, &under.auth);
        fill(&mut self.anthropic_auth, &under.anthropic_auth);
        fill(&mut self.headers, &under.headers);
        fill(&mut self.key_env, &under.key_env);
        fill(&mut self.key_alone, &under.key_alone);
        fill(&mut self.key_prefix, &under.key_prefix);
        fill(&mut self.models, &under.models);
        fill(&mut self.known, &under.known);
        fill(&mut self.reasoning_in, &under.reasoning_in);
        fill(&mut self.always_stream, &under.always_stream);
        fill(&mut self.patch_stream_tools, &under.patch_stream_tools);
        fill(&mut self.drop, &under.drop);
        fill(&mut self.strip_fields, &under.strip_fields);
        fill(&mut self.limits, &under.limits);
        fill(&mut self.rate_headers, &under.rate_headers);
        fill(&mut self.terms, &under.terms);
        fill(&mut self.docs, &under.docs);
        fill(&mut self.checked, &under.checked);
        fill(&mut self.code, &under.code);
        self.flags.lay_over(&under.flags);
    }

    /// Whether it has no list of models of its own.
    pub fn is_static(&self) -> bool {
        self.models == Some(ModelList::Static)
    }
}

/// The host of an address, as it is written.
fn host(url: &Option<String>) -> Option<&str> {
    url.as_deref()?.split_once("://")?.1.split('/').next()
}

impl rows::Flags {
    /// Takes from another row what this one does not say.
    pub(super) fn lay_over(&mut self, under: &Self) {
        fn fill<T: Clone>(mine: &mut Option<T>, under: &Option<T>) {
            if mine.is_none() {
                mine.clone_from(under);
            }
        }
        fill(&mut self.inline_system, &under.inline_system);
        fill(&mut self.developer_role, &under.developer_role);
        fill(&mut self.empty_assistant_content, &under.empty_assistant_content);
        fill(&mut self.nonempty_tool_results, &under.nonempty_tool_results);
        fill(&mut self.tool_image_parts, &under.tool_image_parts);
        fill(&mut self.file_parts, &under.file_parts);
        fill(&mut self.strict_tools, &under.strict_tools);
        fill(&mut self.schema_dialect, &under.schema_dialect);
        fill(&mut self.max_stops, &under.max_stops);
        fill(&mut self.top_k, &under.top_k);
        fill(&mut self.json_schema, &under.json_schema);
        fill(&mut self.prefix_mode, &under.prefix_mode);
        fill(&mut self.user, &under.user);
        fill(&mut self.stream_options, &under.stream_options);
        fill(&mut self.parallel_tool_calls, &under.parallel_tool_calls);
        fill(&mut self.max_tokens_field, &under.max_tokens_field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_are_as_their_schema_says() {
        for (text, name) in [(PROVIDERS, "p"), (THINKING, "t"), (ERRORS, "e"), (MODELS, "m")] {
            File::parse(text, name).unwrap();
        }
        for name in Catalogue::built_in().names() {
            let row = Catalogue::built_in().row(name).unwrap();
            assert!(row.name.is_some() && row.base_url.is_some() || name == "demo", "{name}");
            assert!(row.checked.is_some_and(|day| day.len() == 10), "{name}");
        }
        assert_eq!(Catalogue::built_in().names().len(), 36);
    }

    #[test]
    fn a_row_has_what_it_extends() {
        let catalogue = Catalogue::with(
            r#"
            [[provider]]
            id = "mine"
            extends = "bigmodel-coding"
            key_env = ["MINE"]

            [[provider]]
            id = "zai"
            extends = "zai"
            always_stream = true
            "#,
            "config.toml",
        )
        .unwrap();
        let mine = catalogue.row("mine").unwrap();
        assert_eq!(mine.base_url.as_deref(), Some("https://open.bigmodel.cn/api/coding/paas/v4"));
        assert_eq!(mine.key_env, Some(vec!["MINE".to_owned()]));
        assert!(mine.terms.is_some() && mine.patch_stream_tools.is_some());
        let login = |name: &str| catalogue.row(name).unwrap().login;
        assert!(login("openrouter").is_some() && login("iflow").is_some() && login("mine").is_none());
        let zai = catalogue.row("zai").unwrap();
        assert_eq!((zai.always_stream, zai.name.as_deref()), (Some(true), Some("Z.AI")));
    }

    #[test]
    fn a_row_that_is_wrong_says_where() {
        for (text, expected) in [
            (
                "[[provider]]\nid = \"a\"\nbas_url = \"x\"",
                "`c`: `[[provider]]` `a`: unknown member `bas_url`",
            ),
            ("[[provider]]\nname = \"a\"", "`c`: `[[provider]]`: `id` is missing"),
            ("[[provider]]\nid = \"a\"\nextends = \"b\"", "there is no preset `b`"),
            (
                "[[provider]]\nid = \"a\"\nextends = \"b\"\n[[provider]]\nid = \"b\"\nextends = \"a\"",
                "the preset `a` extends itself",
            ),
            ("[[thinking]]\nlevels = { hard = {} }", "`c`: `[[thinking]]` []: there is no level `hard`"),
            (
                "[[error]]\nprovider = [\"*\"]\nclass = \"rate\"\nreset = \"(\"",
                "`c`: `[[error]]`: `reset` is no regular expression",
            ),
        ] {
            assert_eq!(Catalogue::with(text, "c").unwrap_err().message(), expected);
        }
        let message = Catalogue::with("\n[[thinking]]\nlevls = {}", "c").unwrap_err().message().to_owned();
        assert!(message.starts_with("`c` line 3: unknown field `levls`"), "{message}");
    }
}
