//! Tool definitions and the choice among them (A21–A29).

use super::content::missing;
use super::loss::Losses;
use super::names::Names;
use super::schema::fitted;
use crate::dialect::{Dialect, SchemaDialect};
use crate::error::{Error, Result};
use crate::wire::json::{self, Kind, Members, Raw};

/// The tools of a request in the other API's words.
#[derive(Debug, Default)]
pub struct Tools {
    /// The definitions.
    pub definitions: Vec<Members>,
    /// Names that had to be shortened.
    pub names: Names,
    /// `tool_choice`, where one is sent.
    pub choice: Option<Raw>,
    /// Whether at most one call is wanted (A29).
    pub single: bool,
}

/// Translates `tools` and `tool_choice`.
///
/// # Errors
/// `InvalidRequest` with the path where a definition is malformed, or where only tools remain that
/// no upstream of ours can run (A22).
pub fn tools(
    listed: Option<&Raw>,
    choice: Option<&Raw>,
    dialect: &Dialect,
    losses: &mut Losses,
) -> Result<Tools> {
    let letter_first = dialect.schema == SchemaDialect::Moonshot;
    let mut tools = Tools { names: Names::new(letter_first), ..Tools::default() };
    let mut dropped = None;
    if let Some(listed) = listed {
        let Some(listed) = listed.items() else {
            let found = listed.kind().name();
            return Err(Error::invalid("tools", format!("expected an array, found {found}")));
        };
        for (index, tool) in listed.iter().enumerate() {
            let path = format!("tools[{index}]");
            let Some(tool) = tool.members() else {
                let found = tool.kind().name();
                return Err(Error::invalid(path, format!("expected an object, found {found}")));
            };
            match tools.definition(&tool, &path, dialect)? {
                Some(definition) => tools.definitions.push(definition),
                None => {
                    losses.add(path.as_str(), "server tools are not available on this upstream");
                    dropped.get_or_insert((path, tool));
                }
            }
        }
    }
    if let (true, Some((path, tool))) = (tools.definitions.is_empty(), dropped) {
        let name = tool.text("name").unwrap_or_default();
        let message = format!("{name} is not available on this upstream");
        return Err(Error::invalid(path, message)
            .with_hint("deny WebSearch in the client, or configure a search provider there"));
    }
    if let Some(choice) = choice.filter(|_| !tools.definitions.is_empty()) {
        tools.choose(choice)?;
    }
    Ok(tools)
}

impl Tools {
    /// One definition; absent where it is a tool that the provider itself would run.
    fn definition(&mut self, tool: &Members, path: &str, dialect: &Dialect) -> Result<Option<Members>> {
        let name = match tool.get("name") {
            None => return Err(missing(path, "name")),
            Some(name) => name.text().ok_or_else(|| {
                Error::invalid(format!("{path}.name"), "expected a string, the tool's name")
            })?,
        };
        let kind = tool.text("type").filter(|kind| kind != "custom");
        let (description, parameters) = match kind.as_deref() {
            None => {
                let schema = tool.some("input_schema").ok_or_else(|| missing(path, "input_schema"))?;
                if schema.kind() != Kind::Object {
                    let found = schema.kind().name();
                    return Err(Error::invalid(
                        format!("{path}.input_schema"),
                        format!("expected an object, found {found}"),
                    ));
                }
                (tool.some("description").cloned(), fitted(schema, dialect.schema))
            }
            Some(kind) => match client_run(kind) {
                Some((description, schema)) => (Some(Raw::of(description)), Raw::from_static(schema)),
                None => return Ok(None),
            },
        };
        let mut function = Members::new().with("name", Raw::of(&self.names.upstream(&name)));
        if let Some(description) = description {
            function.set("description", description);
        }
        function.set("parameters", parameters);
        if let Some(strict) = tool.some("strict").filter(|_| dialect.strict_tools) {
            function.set("strict", strict.clone());
        }
        let function = function.to_raw();
        Ok(Some(Members::new().with("type", Raw::of("function")).with("function", function)))
    }

    fn choose(&mut self, choice: &Raw) -> Result<()> {
        let Some(choice) = choice.members() else {
            let found = choice.kind().name();
            return Err(Error::invalid("tool_choice", format!("expected an object, found {found}")));
        };
        self.single = choice.get("disable_parallel_tool_use").and_then(Raw::bool) == Some(true);
        self.choice = Some(match choice.text("type").as_deref() {
            Some("auto") => Raw::from_static("\"auto\""),
            Some("none") => Raw::from_static("\"none\""),
            Some("any") => Raw::from_static("\"required\""),
            Some("tool") => {
                let name = choice.text("name").ok_or_else(|| missing("tool_choice", "name"))?;
                let function = Members::new().with("name", Raw::of(&self.names.upstream(&name))).to_raw();
                Members::new().with("type", Raw::of("function")).with("function", function).to_raw()
            }
            Some(other) => {
                let message = format!("`{other}` is none of auto, any, tool and none");
                return Err(Error::invalid("tool_choice.type", message));
            }
            None => return Err(missing("tool_choice", "type")),
        });
        Ok(())
    }

    /// The definitions as one member's text.
    pub fn definitions(&self) -> Raw {
        json::array(&self.definitions)
    }
}

/// Makes definitions of the other API's shape, with `input_schema`, the API's own (D10). Returns
/// whether there were any.
pub fn adopt(listed: &Raw, dialect: &Dialect) -> Option<Raw> {
    let mut definitions = listed.objects()?;
    let mut adopted = false;
    for tool in &mut definitions {
        let is_foreign = tool.some("function").is_none() && tool.some("name").is_some();
        let Some(schema) = tool.some("input_schema").filter(|_| is_foreign) else { continue };
        let mut function = Members::new();
        for key in ["name", "description"] {
            if let Some(value) = tool.some(key) {
                function.set(key, value.clone());
            }
        }
        function.set("parameters", fitted(schema, dialect.schema));
        *tool = Members::new().with("type", Raw::of("function")).with("function", function.to_raw());
        adopted = true;
    }
    adopted.then(|| json::array(&definitions))
}

/// What a tool is for that Anthropic describes and the client runs, and its documented schema.
///
/// Source: <https://docs.anthropic.com/en/docs/agents-and-tools/tool-use>.
fn client_run(kind: &str) -> Option<(&'static str, &'static str)> {
    let family = kind.rsplit_once('_').map_or(kind, |(family, _)| family);
    Some(match family {
        "bash" => (
            "Run commands in a bash shell that keeps its state between calls",
            r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run"},"restart":{"type":"boolean","description":"Restart the shell instead of running a command"}}}"#,
        ),
        "text_editor" => (
            "View, create and edit text files",
            r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string","description":"Path of the file or directory"},"file_text":{"type":"string","description":"For `create`: the file's text"},"old_str":{"type":"string","description":"For `str_replace`: the text to replace, which occurs exactly once"},"new_str":{"type":"string","description":"For `str_replace` and `insert`: the new text"},"insert_line":{"type":"integer","description":"For `insert`: the line after which to insert"},"insert_text":{"type":"string","description":"For `insert`: the text to insert"},"view_range":{"type":"array","items":{"type":"integer"},"description":"For `view`: first and last line"}},"required":["command","path"]}"#,
        ),
        "memory" => (
            "Keep notes in files below /memories that last between conversations",
            r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}}},"required":["command"]}"#,
        ),
        _ => return None,
    })
}
