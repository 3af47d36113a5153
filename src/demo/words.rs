//! Text in words: what is streamed one by one, counted as usage and cut by limits.

/// How many characters of a script without spaces make a word here. Chosen: as much as one reads
/// at a glance.
const UNSPACED_WORD: usize = 4;

/// How many pieces a text is streamed in at most. Chosen: at 20 ms each, two seconds.
const MAX_PIECES: usize = 100;

/// The words of a text, each with the white space before it, so that they join to the same text.
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    let mut unspaced = 0;
    for (at, letter) in text.char_indices() {
        let starts_word = in_word && (letter.is_whitespace() || unspaced == UNSPACED_WORD);
        if starts_word {
            words.extend(text.get(start..at));
            start = at;
            unspaced = 0;
        }
        in_word = !letter.is_whitespace();
        // From here on in Unicode come the scripts that are written without spaces.
        if letter >= '\u{2e80}' {
            unspaced += 1;
        }
    }
    if start < text.len() {
        words.extend(text.get(start..));
    }
    words
}

/// How many words a text has; stands for its tokens.
pub(super) fn count(text: &str) -> usize {
    words(text).len()
}

/// Joins words into pieces to be streamed: one word each, more where there are very many.
pub(super) fn pieces(words: &[&str]) -> Vec<String> {
    let size = words.len().div_ceil(MAX_PIECES).max(1);
    words.chunks(size).map(|group| group.concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_join_to_the_text_they_were() {
        for text in ["", " ", "a", " a  b\n\nc \n", "你好，世界！再见", "naïve 👩‍👩‍👧 text"]
        {
            assert_eq!(words(text).concat(), text);
        }
    }

    #[test]
    fn words_take_the_space_before_them() {
        assert_eq!(words("One two\nthree. "), ["One", " two", "\nthree.", " "]);
    }

    #[test]
    fn a_script_without_spaces_is_split_too() {
        assert_eq!(words("你好世界再见"), ["你好世界", "再见"]);
    }

    #[test]
    fn a_very_long_text_has_a_bounded_number_of_pieces() {
        let text = "word ".repeat(10_001);
        let pieces = pieces(&words(&text));
        assert!(pieces.len() <= MAX_PIECES);
        assert_eq!(pieces.concat(), text);
    }
}
