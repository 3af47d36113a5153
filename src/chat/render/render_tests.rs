//! The renderer, construct by construct: `tests/golden/markdown/screens.txt` has screens of each at widths of 20, 40
//! and 80, and what is here looks at colours and at the way there.

use super::{Look, Renderer};

const SCREENS: &str = include_str!("../../../tests/golden/markdown/screens.txt");

fn shown(markdown: &str, look: Look) -> String {
    let mut renderer = Renderer::new(look);
    let shown = renderer.push(markdown);
    shown + &renderer.finish()
}

fn plain(width: usize) -> Look {
    Look { width: Some(width), color: false, unicode: true }
}

/// An answer in colour, where `<1;3>` stands for an escape sequence and `<>` for the one that ends all styles.
fn colored(markdown: &str) -> String {
    let shown = shown(markdown, Look { color: true, ..plain(40) });
    let mut parts = shown.split("\x1b[").map(|part| part.replacen('m', ">", 1));
    let first = shown.split("\x1b[").next().unwrap().to_owned();
    let rest: Vec<String> = parts.by_ref().skip(1).collect();
    rest.iter().fold(first, |text, part| text + "<" + part).replace("<0>", "<>")
}

#[test]
fn every_construct_has_its_screen_at_every_width() {
    for case in SCREENS.split("%%%% ").skip(1) {
        let (name, case) = case.split_once('\n').unwrap();
        let mut parts = case.split("%% ");
        let markdown = parts.next().unwrap();
        for part in parts {
            let (width, expected) = part.split_once('\n').unwrap();
            assert_eq!(shown(markdown, plain(width.parse().unwrap())), expected, "{name}, {width}");
        }
    }
}

#[test]
fn words_in_a_style_are_painted_one_by_one() {
    let cases = [
        ("a **b c** d", "a <1>b<> <1>c<> d\n"),
        ("*a **b***", "<3>a<> <1;3>b<>\n"),
        ("~~a b~~", "<9>a<><9> <><9>b<>\n"),
        ("`a  b`c", "<36>a<>  <36>b<>c\n"),
        ("# A *b*", "<1>#<> <1>A<> <1;3>b<>\n"),
        ("[a `b`](http://c)", "<4>a<><4> <><4;36>b<> <2>(http://c)<>\n"),
        ("**今天**", "<1>今<><1>天<>\n"),
        ("*a b", "*a b\n"),
        ("> a", "<2>│<> a\n"),
        ("| a |\n|---|\n| b |", "<1>a<>\n<2>─<>\nb\n"),
        ("```\nx\n```", "<2>```<>\n<36>x<>\n<2>```<>\n"),
        ("    x", "<36>x<>\n"),
        ("---", "<2>────────────────────────────────────────<>\n"),
    ];
    for (markdown, expected) in cases {
        assert_eq!(colored(markdown), expected, "{markdown:?}");
    }
}

#[cfg(feature = "highlight")]
#[test]
fn code_of_a_known_language_is_highlighted() {
    let markdown = "```rust,ignore\nlet x = \"a\"; // b\n```\n```Klingon\nqapla\n```\n```ts\nreturn 1;\n```";
    let expected = "\
<2>```rust,ignore<>
<35>let<> x = <32>\"a\"<>; <2>// b<>
<2>```<>
<2>```Klingon<>
<36>qapla<>
<2>```<>
<2>```ts<>
<35>return<> <36>1<>;
<2>```<>
";
    assert_eq!(colored(markdown), expected);
}

#[test]
fn prose_is_shown_as_it_comes() {
    // The last of what is shown is what comes of the end.
    let cases: &[(&[&str], &[&str])] = &[
        (&["one tw", "o three"], &["one", " two", " three\n"]),
        (&["今天", "天气"], &["今", "天天", "气\n"]),
        (&["a *b ", "c* d ", "e"], &["a", " *b c* d", "", " e\n"]),
        (&["a 2 * 3 ", "b"], &["a 2 * 3", "", " b\n"]),
        (&["a [b] ", "c"], &["a [b]", "", " c\n"]),
        (&["- ", "a ", "b\n", "\n", "c"], &["", "• a", " b\n", "", "\n", "c\n"]),
        (&["# a ", "b\n"], &["# a", " b\n", ""]),
        (&["```\nx", "\ny"], &["```\n", "x\n", "y\n"]),
        (&["| a |\n", "|-|\n", "| b |\n", "c "], &["", "", "", "a\n─\nb\nc", "\n"]),
        (&["**a\n", "b** c "], &["", "**a\nb** c", "\n"]),
    ];
    for (markdown, expected) in cases {
        let mut renderer = Renderer::new(plain(40));
        let mut shown: Vec<String> = markdown.iter().map(|piece| renderer.push(piece)).collect();
        shown.push(renderer.finish());
        assert_eq!(shown, *expected, "{markdown:?}");
    }
}

#[test]
fn what_is_never_closed_is_shown_after_a_while() {
    let mut renderer = Renderer::new(plain(80));
    assert_eq!(renderer.push(&format!("*{}", "a ".repeat(200))), "");
    assert!(renderer.push(&"a ".repeat(200)).starts_with("*a a"));
}

#[test]
fn a_long_table_is_laid_out_before_it_is_whole() {
    let mut renderer = Renderer::new(plain(80));
    let head = renderer.push(&format!("| a | b |\n|---|---|\n{}", "| 1 | 2 |\n".repeat(199)));
    assert_eq!(head, "");
    assert_eq!(renderer.push("| 3 | 4 |\n").lines().count(), 202);
    assert_eq!(renderer.push("| 5 | longer | beyond |\n").lines().last(), Some("  │ d"));
}

#[test]
fn without_unicode_all_that_is_drawn_is_ascii() {
    let look = Look { unicode: false, ..plain(20) };
    let markdown = "> - a\n\n---\n\n| a | b |\n|---|---|\n| c | d |";
    assert_eq!(shown(markdown, look), "> - a\n\n--------------------\n\na | b\n--+--\nc | d\n");
}

#[test]
fn a_narrow_or_unknown_terminal_wraps_for_itself() {
    let text = "a line that is longer than nineteen columns are";
    for width in [None, Some(0), Some(19)] {
        assert_eq!(shown(text, Look { width, ..plain(0) }), format!("{text}\n"));
    }
}

#[test]
fn control_characters_are_left_out() {
    assert_eq!(shown("a\x1b[2Jb\r\nc\x07", plain(40)), "a[2Jb\nc\n");
}
