//! The failures of `demo-fail`, chosen by what the user says.

use super::plan::{Answer, Delta, Ending, Refusal, Script, Usage, has_word, prompt_words};
use super::request::Request;
use super::words;

/// The statuses that a number in the text can choose.
const STATUSES: [u16; 14] = [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529];

const UNFINISHED: &str = "This answer of the demo upstream breaks off in the";

pub(super) fn plan(request: &Request) -> Script {
    let text = request.user_text();
    let refusal = refusal(chosen_status(&text).unwrap_or(500));
    let (said, ending) = if has_word(&text, "stream") {
        (UNFINISHED, Ending::Failed(refusal))
    } else if has_word(&text, "cut") {
        (UNFINISHED, Ending::Cut)
    } else if has_word(&text, "empty") {
        ("", Ending::Finished("stop"))
    } else {
        return Script::Refuse(refusal);
    };
    let said = words::words(said);
    Script::Answer(Answer {
        deltas: words::pieces(&said).into_iter().map(Delta::Say).collect(),
        ending,
        usage: Usage { prompt: prompt_words(request), completion: said.len(), thinking: 0 },
    })
}

fn chosen_status(text: &str) -> Option<u16> {
    text.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .find(|number| STATUSES.contains(number))
}

fn refusal(status: u16) -> Refusal {
    let mut refusal =
        Refusal::new(status, format!("the demo upstream fails with {status}, as it was asked to"));
    if status == 429 {
        refusal.retry_after_seconds = Some(2);
    }
    refusal
}
