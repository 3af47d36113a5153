//! Tables: rows that are held until their widths are known, and then laid out to the width of the screen.

use super::flow::Flow;
use super::inline::Inline;
use super::spans::{self, Reading};
use super::style::Style;
use unicode_width::UnicodeWidthStr;

/// How many rows are held before the widths are settled. Chosen: more than a screen or two is read in any layout.
const ROWS_LIMIT: usize = 200;
/// How many bytes of rows. Chosen likewise.
const LIMIT_BYTES: usize = 64 * 1024;
/// The columns of ` │ `.
const GAP: usize = 3;
/// How much of a word a column keeps on one line. Chosen: addresses may be broken, most other words not.
const WORD: usize = 12;

/// How the rows of a table come out.
#[derive(Debug, Clone, Copy)]
pub struct Drawing {
    /// The columns that it may take.
    pub room: Option<usize>,
    /// Whether there is colour.
    pub color: bool,
    /// Whether lines are drawn with characters made for it.
    pub unicode: bool,
}

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Side {
    #[default]
    Left,
    Middle,
    Right,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is kept.
    Held,
    /// These lines can be shown.
    Lines(Vec<String>),
    /// This is no table: the rows so far are text, and the line may begin another.
    NoTable,
}

/// A table in the making.
#[derive(Debug)]
pub struct Table {
    rows: Vec<String>,
    held_bytes: usize,
    sides: Option<Vec<Side>>,
    layout: Option<Layout>,
}

/// The widths of its columns, once they are settled; none where they do not fit side by side.
#[derive(Debug, Clone)]
struct Layout {
    heads: Vec<String>,
    columns: Vec<(usize, Side)>,
    /// Whether lines stand between the rows, because some rows take several.
    ruled: bool,
}

struct CellLine {
    painted: String,
    width: usize,
}

impl Table {
    /// What may be a table, from its first row.
    pub fn begin(row: String) -> Self {
        Self { held_bytes: row.len(), rows: vec![row], sides: None, layout: None }
    }

    /// Takes the next line.
    pub fn take(&mut self, line: &str, drawing: Drawing) -> Taken {
        if self.sides.is_none() {
            let sides = sides(line);
            let heads = self.rows.first().map_or(0, |row| cells(row).len());
            if sides.len() != heads {
                return Taken::NoTable;
            }
            self.sides = Some(sides);
            return Taken::Held;
        }
        if let Some(layout) = &self.layout {
            return Taken::Lines(layout.later_row(&cells(line), drawing));
        }
        self.held_bytes += line.len();
        self.rows.push(line.to_owned());
        if self.rows.len() <= ROWS_LIMIT && self.held_bytes <= LIMIT_BYTES {
            return Taken::Held;
        }
        Taken::Lines(self.lay_out(drawing))
    }

    /// The lines of what was held; its rows as they were written where they are no table or do not fit.
    pub fn end(mut self, drawing: Drawing) -> Result<Vec<String>, Vec<String>> {
        if self.sides.is_none() {
            return Err(self.rows);
        }
        if self.layout.is_some() { Ok(Vec::new()) } else { Ok(self.lay_out(drawing)) }
    }

    fn lay_out(&mut self, drawing: Drawing) -> Vec<String> {
        let rows: Vec<Vec<String>> = self.rows.drain(..).map(|row| cells(&row)).collect();
        let sides = self.sides.clone().unwrap_or_default();
        let layout = Layout::of(&rows, &sides, drawing);
        let mut lines = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            match index {
                0 => lines.extend(layout.row(row, Style::BOLD, drawing)),
                1 => {
                    lines.push(layout.rule(drawing));
                    lines.extend(layout.row(row, Style::PLAIN, drawing));
                }
                _ => lines.extend(layout.later_row(row, drawing)),
            }
        }
        if rows.len() == 1 {
            lines.push(layout.rule(drawing));
        }
        self.layout = Some(layout);
        lines
    }
}

impl Layout {
    fn of(rows: &[Vec<String>], sides: &[Side], drawing: Drawing) -> Self {
        let count = rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut wishes = vec![Wish::default(); count];
        let mut ruled = false;
        for cell_row in rows {
            for (cell, wish) in cell_row.iter().zip(&mut wishes) {
                let lines = cell_lines(cell, None, Style::PLAIN, drawing);
                ruled |= lines.len() > 1;
                wish.whole = lines.iter().map(|line| line.width).max().unwrap_or_default().max(wish.whole);
                let word = cell.split_whitespace().map(|part| part.width()).max().unwrap_or_default();
                wish.least = word.min(WORD).max(wish.least);
            }
        }
        for wish in &mut wishes {
            wish.whole = wish.whole.max(1);
            wish.least = wish.least.min(wish.whole);
        }
        let gaps = GAP * count.saturating_sub(1);
        let widths = match drawing.room {
            Some(room) => shrunk(&wishes, room.saturating_sub(gaps)),
            None => Some(wishes.iter().map(|wish| wish.whole).collect()),
        };
        ruled |= widths.is_none();
        let widths = widths.unwrap_or_default();
        ruled |= wishes.iter().zip(&widths).any(|(wish, width)| wish.whole > *width);
        let sides = sides.iter().copied().chain(std::iter::repeat(Side::Left));
        let heads = rows.first().cloned().unwrap_or_default();
        Self { heads, columns: widths.into_iter().zip(sides).collect(), ruled }
    }

    /// The lines of a row that is not the first below the head.
    fn later_row(&self, cells: &[String], drawing: Drawing) -> Vec<String> {
        let rule = self.ruled.then(|| self.rule(drawing));
        rule.into_iter().chain(self.row(cells, Style::PLAIN, drawing)).collect()
    }

    /// The lines of a row. What stands beyond the last column is shown in it.
    fn row(&self, cells: &[String], style: Style, drawing: Drawing) -> Vec<String> {
        if self.columns.is_empty() {
            return self.record(cells, drawing);
        }
        let last = self.columns.len() - 1;
        let beyond = cells.get(last..).unwrap_or_default().join(" | ");
        let own = cells.iter().take(last.min(cells.len())).map(String::as_str);
        let missing = last.saturating_sub(cells.len());
        let texts = own.chain(std::iter::repeat_n("", missing)).chain([beyond.as_str()]);
        let columns: Vec<Vec<CellLine>> = texts
            .zip(&self.columns)
            .map(|(text, (width, _))| cell_lines(text, Some(*width), style, drawing))
            .collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or_default();
        (0..height).map(|index| self.line(&columns, index, drawing)).collect()
    }

    /// A row whose cells stand below each other, each behind its head. The row of the heads is none.
    fn record(&self, cells: &[String], drawing: Drawing) -> Vec<String> {
        if cells == self.heads {
            return Vec::new();
        }
        let heads = self.heads.iter().map(String::as_str).chain(std::iter::repeat(""));
        let pairs = cells.iter().zip(heads).filter(|(cell, _)| !cell.is_empty());
        let lines = pairs.flat_map(|(cell, head)| {
            let (bold, colon) = match (head, drawing.color) {
                ("", _) => ("", ""),
                (_, true) => ("**", ": "),
                (_, false) => ("", ": "),
            };
            cell_lines(&format!("{bold}{head}{bold}{colon}{cell}"), drawing.room, Style::PLAIN, drawing)
        });
        lines.map(|line| line.painted).collect()
    }

    fn line(&self, columns: &[Vec<CellLine>], index: usize, drawing: Drawing) -> String {
        let mut out = String::new();
        let mut owed = 0;
        for (number, (cell, (width, side))) in columns.iter().zip(&self.columns).enumerate() {
            if number > 0 {
                out.push_str(&" ".repeat(owed + 1));
                Style::DIM.or_plain(drawing.color).paint(if drawing.unicode { "│" } else { "|" }, &mut out);
                owed = 1;
            }
            let (painted, used) = cell.get(index).map_or(("", 0), |line| (line.painted.as_str(), line.width));
            let space = width.saturating_sub(used);
            let before = match side {
                Side::Left => 0,
                Side::Middle => space / 2,
                Side::Right => space,
            };
            if !painted.is_empty() {
                out.push_str(&" ".repeat(owed + before));
                out.push_str(painted);
                owed = 0;
            }
            owed += if painted.is_empty() { *width } else { space - before };
        }
        out
    }

    fn rule(&self, drawing: Drawing) -> String {
        let (line, cross) = if drawing.unicode { ("─", "─┼─") } else { ("-", "-+-") };
        let parts: Vec<String> = self.columns.iter().map(|(width, _)| line.repeat(*width)).collect();
        let mut out = String::new();
        let text = if parts.is_empty() { line.repeat(GAP) } else { parts.join(cross) };
        Style::DIM.or_plain(drawing.color).paint(&text, &mut out);
        out
    }
}

/// The widths a column would like.
#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    /// That of its longest line.
    whole: usize,
    /// That of its longest word, as far as words are kept whole.
    least: usize,
}

/// Widths that fit, if any do: the widest columns give way first, and none below its words.
fn shrunk(wishes: &[Wish], room: usize) -> Option<Vec<usize>> {
    let at = |level: usize| wishes.iter().map(move |wish| level.clamp(wish.least, wish.whole));
    if at(0).sum::<usize>() > room {
        return None;
    }
    let (mut low, mut high) = (0, room);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if at(middle).sum::<usize>() <= room { low = middle } else { high = middle - 1 }
    }
    let mut widths: Vec<usize> = at(low).collect();
    let mut over = room.saturating_sub(widths.iter().sum());
    for (width, wish) in widths.iter_mut().zip(wishes) {
        if (low..wish.whole).contains(width) && over > 0 {
            *width += 1;
            over -= 1;
        }
    }
    Some(widths)
}

/// The lines of a cell; `<br>` ends one, which is the only way to say that in a table.
fn cell_lines(text: &str, width: Option<usize>, style: Style, drawing: Drawing) -> Vec<CellLine> {
    let (mut flow, mut inline, mut out) =
        (Flow::new(width), Inline::new(drawing.color, style), String::new());
    let mut text = text.to_owned();
    for tag in ["<br>", "<br/>", "<br />"] {
        text = text.replace(tag, "\n");
    }
    text.chars().for_each(|letter| inline.put(letter, &mut flow, &mut out));
    inline.end(&mut flow, &mut out);
    flow.end_word(&mut out);
    out.split('\n').map(|line| CellLine { painted: line.to_owned(), width: seen_width(line) }).collect()
}

/// The columns that a painted text takes.
fn seen_width(painted: &str) -> usize {
    let mut parts = painted.split('\x1b');
    let first = parts.next().map_or(0, UnicodeWidthStr::width);
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, text)| text.width())).sum::<usize>()
}

/// The cells of a row.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let (mut cells, mut cell, mut rest) = (Vec::new(), String::new(), row);
    while let Some(letter) = rest.chars().next() {
        let mut used = letter.len_utf8();
        match letter {
            '\\' if rest.starts_with("\\|") => {
                cell.push('|');
                used = 2;
            }
            '|' => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            // GFM would end the cell within code, and models would not.
            '`' => {
                used = match spans::read(rest, ' ', true, true) {
                    Reading::Spans(length, _) => length,
                    _ => spans::run(rest, '`'),
                };
                cell.push_str(&rest.get(..used).unwrap_or_default().replace("\\|", "|"));
            }
            _ => cell.push(letter),
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    if !cell.trim().is_empty() {
        cells.push(cell.trim().to_owned());
    }
    cells
}

/// What the line below the head says of each column; nothing where it is another line.
fn sides(row: &str) -> Vec<Side> {
    let side = |cell: &String| {
        let dashes = cell.trim_start_matches(':').trim_end_matches(':');
        if dashes.is_empty() || dashes.chars().any(|letter| letter != '-') {
            return None;
        }
        Some(match (cell.starts_with(':'), cell.ends_with(':')) {
            (true, true) => Side::Middle,
            (false, true) => Side::Right,
            _ => Side::Left,
        })
    };
    cells(row).iter().map(side).collect::<Option<_>>().unwrap_or_default()
}
