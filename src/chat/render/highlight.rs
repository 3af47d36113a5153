//! Code in colours, line by line, as far as its language is known. Without the feature `highlight` no language is.

use super::style::Style;
#[cfg(feature = "highlight")]
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

/// Lines that are longer are left plain: nobody reads them, and looking for the end of a minified program takes
/// seconds. Chosen.
#[cfg(feature = "highlight")]
const LINE_LIMIT_BYTES: usize = 1000;

/// How much of an answer's code is coloured; the rest is plain. Measured: 100 kB take half a second and more on one core,
/// all else of an answer a hundredth of one, and nobody should wait for colours.
#[cfg(feature = "highlight")]
const ANSWER_LIMIT_BYTES: usize = 48 * 1024;

/// What code looks like where nothing is known of it.
const UNKNOWN: Style = Style::CYAN;

/// The scopes of syntaxes that are told apart, the finer ones first.
#[cfg(feature = "highlight")]
const SCOPES: [(&str, Style); 23] = [
    ("comment", Style::DIM),
    ("string", Style::GREEN),
    ("constant", Style::CYAN),
    ("keyword.operator", Style::PLAIN),
    ("keyword", Style::MAGENTA),
    ("storage", Style::MAGENTA),
    ("entity.name.function", Style::BLUE),
    ("entity.name.tag", Style::BLUE),
    ("entity.name", Style::YELLOW),
    ("entity.other.attribute-name", Style::YELLOW),
    ("entity.other.inherited-class", Style::YELLOW),
    ("support.function", Style::BLUE),
    ("support.macro", Style::BLUE),
    ("support.type", Style::YELLOW),
    ("support.class", Style::YELLOW),
    ("support.constant", Style::CYAN),
    ("variable.function", Style::BLUE),
    ("variable.language", Style::MAGENTA),
    ("markup.inserted", Style::GREEN),
    ("markup.deleted", Style::RED),
    ("markup.heading", Style::BOLD),
    ("markup.bold", Style::BOLD),
    ("meta.diff.range", Style::CYAN),
];

/// Names that models give to languages, and those under which a syntax is there, or one much like it.
#[cfg(feature = "highlight")]
const ALIASES: [(&str, &str); 16] = [
    ("typescript", "js"),
    ("ts", "js"),
    ("tsx", "js"),
    ("jsx", "js"),
    ("mjs", "js"),
    ("jsonc", "json"),
    ("json5", "json"),
    ("shell", "bash"),
    ("console", "bash"),
    ("shellsession", "bash"),
    ("golang", "go"),
    ("csharp", "cs"),
    ("cpp", "c++"),
    ("vue", "html"),
    ("svelte", "html"),
    ("objective-c", "objc"),
];

/// All that is known of languages. It is loaded when the first code comes, and kept.
#[derive(Debug, Default)]
pub struct Languages {
    #[cfg(feature = "highlight")]
    loaded: Option<Loaded>,
    /// The bytes of this answer that were coloured.
    #[cfg(feature = "highlight")]
    spent: usize,
}

#[cfg(feature = "highlight")]
#[derive(Debug)]
struct Loaded {
    syntaxes: SyntaxSet,
    scopes: Vec<(Scope, Style)>,
}

/// One piece of code in the making.
#[derive(Debug, Default)]
pub struct Highlighter {
    #[cfg(feature = "highlight")]
    state: Option<(ParseState, ScopeStack)>,
}

#[cfg(feature = "highlight")]
impl Loaded {
    fn load() -> Self {
        let scopes = SCOPES.iter().filter_map(|(name, style)| Some((Scope::new(name).ok()?, *style)));
        Self { syntaxes: SyntaxSet::load_defaults_newlines(), scopes: scopes.collect() }
    }

    fn style(&self, stack: &ScopeStack) -> Style {
        let styles = stack.as_slice().iter().rev().filter_map(|scope| {
            self.scopes.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, style)| *style)
        });
        styles.into_iter().next().unwrap_or(Style::PLAIN)
    }
}

#[cfg(feature = "highlight")]
impl Languages {
    /// These languages for the next answer.
    pub fn anew(self) -> Self {
        Self { spent: 0, ..self }
    }

    /// Begins with code in a language, as the fence names it.
    pub fn begin(&mut self, language: &str) -> Highlighter {
        let language = language.to_ascii_lowercase();
        if language.is_empty() {
            return Highlighter::default();
        }
        let loaded = self.loaded.get_or_insert_with(Loaded::load);
        let alias = ALIASES.iter().find(|(name, _)| *name == language).map(|(_, known)| *known);
        let syntax = loaded.syntaxes.find_syntax_by_token(alias.unwrap_or(&language));
        Highlighter { state: syntax.map(|syntax| (ParseState::new(syntax), ScopeStack::new())) }
    }

    /// Writes a line of code.
    pub fn paint(&mut self, highlighter: &mut Highlighter, line: &str, out: &mut String) {
        let (Some(loaded), Some((parser, stack))) = (&self.loaded, &mut highlighter.state) else {
            return UNKNOWN.paint(line, out);
        };
        if line.len() > LINE_LIMIT_BYTES || self.spent > ANSWER_LIMIT_BYTES {
            return out.push_str(line);
        }
        self.spent += line.len();
        let whole = format!("{line}\n");
        let Ok(changes) = parser.parse_line(&whole, &loaded.syntaxes) else {
            // Its expression gave up: what would follow is a guess.
            highlighter.state = None;
            return UNKNOWN.paint(line, out);
        };
        let (mut from, mut painted) = (0, 0);
        let mut style = loaded.style(stack);
        for (at, change) in changes {
            let next = at.min(line.len());
            if next > from {
                style = merge(loaded.style(stack), style, line, painted..from, out, &mut painted);
                from = next;
            }
            if stack.apply(&change).is_err() {
                break;
            }
        }
        style = merge(loaded.style(stack), style, line, painted..from, out, &mut painted);
        style.paint(line.get(painted..).unwrap_or_default(), out);
    }
}

/// Writes what came so far where what follows looks otherwise.
#[cfg(feature = "highlight")]
fn merge(
    next: Style,
    style: Style,
    line: &str,
    before: std::ops::Range<usize>,
    out: &mut String,
    painted: &mut usize,
) -> Style {
    if next != style {
        *painted = before.end;
        style.paint(line.get(before).unwrap_or_default(), out);
    }
    next
}

#[cfg(not(feature = "highlight"))]
impl Languages {
    /// These languages for the next answer.
    pub fn anew(self) -> Self {
        self
    }

    /// Begins with code, whatever its language.
    pub fn begin(&mut self, _language: &str) -> Highlighter {
        Highlighter::default()
    }

    /// Writes a line of code.
    pub fn paint(&mut self, _highlighter: &mut Highlighter, line: &str, out: &mut String) {
        UNKNOWN.paint(line, out);
    }
}
