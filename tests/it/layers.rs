//! ARCHITECTURE.md is the law: its table of layers, its list of files, and the size of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 400;

/// One file under `src/`.
struct Source {
    /// Its path below `src/`, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The layer it belongs to; none for `lib.rs` and `main.rs`, which stand outside.
    fn layer(&self) -> Option<&str> {
        let first = self.path.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(name, "lib" | "main")).then_some(name)
    }

    /// The line without its comment; no string of ours holds both `//` and a path.
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| line.split("//").next().unwrap_or(line))
    }

    /// How many modules enclose its items: `gateway/chat.rs` is `crate::gateway::chat`, so two. A
    /// file of tests is a module of the file it tests.
    fn depth(&self) -> usize {
        let names = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let of_tests = usize::from(names.ends_with("_tests"));
        names.split('/').filter(|name| *name != "mod").count() + of_tests
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join("src"), "", &mut found);
    assert!(found.len() > 50, "the sources are not where they were: {} files", found.len());
    found
}

fn collect(directory: &Path, prefix: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), found);
        } else {
            found.push(Source { path, text: fs::read_to_string(entry.path()).unwrap() });
        }
    }
}

fn section(heading: &str) -> String {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().replace("\r\n", "\n");
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect("ARCHITECTURE.md has the section");
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The rows of the table: each layer, and those it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let section = section("Layers");
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).skip(1).collect())
        .collect();
    let layers =
        |cell: &str| cell.split(", ").map(|name| name.trim_matches('`').to_owned()).collect::<Vec<_>>();
    let all: BTreeSet<String> = rows.iter().flat_map(|row| layers(row[0])).collect();
    let mut table = BTreeMap::new();
    for row in &rows {
        let uses = match row[1] {
            "all" => all.clone(),
            "none" => BTreeSet::new(),
            cell => layers(cell).into_iter().collect(),
        };
        let unknown: Vec<_> = uses.difference(&all).collect();
        assert!(unknown.is_empty(), "layers without a row of their own: {unknown:?}");
        for layer in layers(row[0]) {
            assert!(table.insert(layer.clone(), uses.clone()).is_none(), "two rows for `{layer}`");
        }
    }
    table
}

/// The first names behind each `crate::`, groups of them included.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        // `$crate` is no path of ours, and a longer word ends otherwise.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => drop(found.insert(name_at(rest))),
        }
    }
    found
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names within a group that was opened just before `text`.
fn group_heads(text: &str) -> Vec<String> {
    let (mut depth, mut heads, mut item) = (1, Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            heads.push(name_at(item.trim_start()));
            item.clear();
        } else {
            item.push(c);
        }
        if depth == 0 {
            break;
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

#[test]
fn paths_are_read_alone_and_in_groups() {
    let text = "use crate::{error::{Error, Result}, wire::json,\n    step};\npub(crate) fn f() { crate::config::get() }";
    let expected = ["config", "error", "step", "wire"].map(str::to_owned);
    assert_eq!(crate_paths(text), BTreeSet::from(expected));
}

/// Whether a chain of `super` is as long as the file is deep, and so leads out of the layer unseen.
/// What stands in the file's module of tests is one deeper.
fn leaves_by_super(source: &Source, text: &str) -> bool {
    let (code, tests) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((text, ""));
    let chain = |length| "super::".repeat(length);
    code.contains(&chain(source.depth())) || tests.contains(&chain(source.depth() + 1))
}

#[test]
fn no_module_uses_one_that_the_table_does_not_allow() {
    let allowed = allowed();
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.path.ends_with(".rs")) {
        let Some(layer) = source.layer() else { continue };
        let Some(uses) = allowed.get(layer) else {
            faults.push(format!("`{layer}` has no row"));
            continue;
        };
        let text = source.lines().collect::<Vec<_>>().join("\n");
        for used in crate_paths(&text) {
            if used != layer && !uses.contains(&used) {
                faults.push(format!("src/{} uses `{used}`", source.path));
            }
        }
        if leaves_by_super(source, &text) {
            faults.push(format!("src/{} leaves its layer by `super::`", source.path));
        }
    }
    faults.dedup();
    assert!(faults.is_empty(), "against the table in ARCHITECTURE.md:\n{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_file_may_be() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.path.ends_with(".rs") && source.text.lines().count() > MAX_LINES)
        .map(|source| format!("src/{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "more than {MAX_LINES} lines, so a second idea is hiding in it: {long:?}");
}

/// The list gives a directory at the first indent, and its files, below it, at the second.
#[test]
fn the_list_of_files_is_the_tree() {
    let mut directory = "";
    let mut listed = BTreeSet::new();
    let section = section("Files");
    for line in section.lines() {
        let name = line.split_whitespace().next().unwrap_or("");
        match line.len() - line.trim_start().len() {
            2 if name.ends_with('/') => directory = name,
            2 => drop(listed.insert(name.to_owned())),
            4 => drop(listed.insert(format!("{directory}{name}"))),
            _ => {}
        }
    }
    let tree: BTreeSet<String> = sources().into_iter().map(|source| source.path).collect();
    let unlisted: Vec<_> = tree.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&tree).collect();
    assert!(unlisted.is_empty() && gone.is_empty(), "not listed: {unlisted:?}; listed, but gone: {gone:?}");
}
