//! What holds of the renderer for any text, however it is cut.

use super::{Look, Renderer};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

const WIDTHS: [Option<usize>; 5] = [None, Some(10), Some(20), Some(40), Some(80)];

fn looks() -> impl Strategy<Value = Look> {
    (0..WIDTHS.len(), any::<bool>(), any::<bool>()).prop_map(|(width, color, unicode)| Look {
        width: WIDTHS[width],
        color,
        unicode,
    })
}

/// Text in which marks of all kinds are likely.
fn markdown() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-zé]{1,9} ?",
        3 => "[*_~`]{1,3}",
        2 => "[\\[\\]()!\\\\$<>|#:-]{1,2}",
        3 => "[今天气很好。，「」]{1,6}",
        1 => Just("👩‍👩‍👧".to_owned()),
        1 => "[e🇩\u{301}\u{200d}\u{fe0f}]{1,3}",
        3 => "\n {0,6}",
        2 => Just("\n\n".to_owned()),
        2 => "\n {0,4}([-*+>]|[0-9]{1,3}[.)]|#{1,3}) ",
        1 => "\n(```|~~~)\n",
        1 => "\n\\| a \\| b\\|\n\\|---\\|:-:\\|\n\\| c \\| d \\|\n",
        1 => "\n(\\$\\$|\\\\\\[)\n",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Text in which nothing leaves a line: no tables, links, fences or formulas.
fn prose() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-zé]{1,30} ?",
        2 => "[*_`]{1,2}",
        3 => "[今天气很好。，「」]{1,20}",
        1 => Just("👩‍👩‍👧".to_owned()),
        3 => Just("\n".to_owned()),
        2 => Just("\n\n".to_owned()),
        2 => "\n {0,3}([-+>]|[0-9]{1,3}[.)]|#{1,3}) ",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn rendered(text: &str, look: Look) -> String {
    let mut renderer = Renderer::new(look);
    let shown = renderer.push(text);
    shown + &renderer.finish()
}

/// The text without SGR sequences; panics where another escape is, or a style does not end.
fn stripped(output: &str) -> String {
    let mut parts = output.split('\x1b');
    let mut text = parts.next().unwrap().to_owned();
    let mut is_plain = true;
    for part in parts {
        let (code, shown) = part.split_once('m').expect("an SGR sequence");
        let code = code.strip_prefix('[').expect("a control sequence");
        assert!(!code.is_empty() && code.chars().all(|letter| matches!(letter, '0'..='9' | ';')), "{code:?}");
        is_plain = code == "0";
        text.push_str(shown);
    }
    assert!(is_plain, "a style that does not end: {output:?}");
    text
}

fn words(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphabetic() || ('\u{1f000}'..'\u{20000}').contains(letter))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_text_comes_out_the_same_wherever_it_is_cut(
        text in markdown(), look in looks(), cuts in prop::collection::vec(0.0..1.0_f64, 0..8),
    ) {
        let letters: Vec<char> = text.chars().collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * letters.len() as f64) as usize).collect();
        cuts.extend([0, letters.len()]);
        cuts.sort_unstable();
        let (mut renderer, mut shown) = (Renderer::new(look), String::new());
        for pair in cuts.windows(2) {
            let piece = renderer.push(&letters[pair[0]..pair[1]].iter().collect::<String>());
            stripped(&piece);
            shown.push_str(&piece);
        }
        shown.push_str(&renderer.finish());
        prop_assert_eq!(&shown, &rendered(&text, look));
        // The renderer is as new.
        prop_assert_eq!(renderer.push(&text) + &renderer.finish(), shown);
    }

    #[test]
    fn letters_come_out_in_their_order(text in prose(), look in looks()) {
        prop_assert_eq!(words(&stripped(&rendered(&text, look))), words(&text));
    }

    #[test]
    fn no_line_of_prose_is_wider_than_the_screen(text in prose(), look in looks()) {
        let width = look.width.filter(|&width| width >= 20).unwrap_or(usize::MAX);
        // Code is no prose.
        let text = text.replace("     ", " ").replace("```", "");
        for line in stripped(&rendered(&text, look)).lines() {
            prop_assert!(line.width() <= width, "{:?}", line);
        }
    }

    #[test]
    fn every_prefix_can_be_finished(text in markdown(), look in looks()) {
        for (end, _) in text.char_indices() {
            let output = rendered(&text[..end], look);
            stripped(&output);
            prop_assert!(output.is_empty() || output.ends_with('\n'));
            prop_assert!(output.len() <= 200 * (end + 1), "{} bytes of {}", output.len(), end);
        }
    }

    #[test]
    fn anything_at_all_is_harmless(text in any::<String>(), look in looks()) {
        let output = stripped(&rendered(&text, look));
        prop_assert!(output.chars().all(|letter| matches!(letter, '\n' | '\t') || !letter.is_control()));
        prop_assert!(look.color || !rendered(&text, look).contains('\x1b'));
    }
}
