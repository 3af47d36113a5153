//! A request on its way to an upstream that speaks the caller's API: what that upstream would refuse is
//! taken out (A36, E07), and all else leaves as it came.

use crate::error::{Error, ErrorKind};
use crate::translate::loss::Losses;
use crate::translate::signature;
use crate::wire::anthropic::MessagesRequest;
use crate::wire::json::{Members, Raw};

/// Makes a request one that the upstream takes: names its model, takes out the top-level members that it
/// refuses, and the thoughts that it has not signed itself. Tells what was left out.
///
/// A request in which nothing of this is to be done leaves as the bytes that came.
pub fn prepare(request: &mut MessagesRequest, model: &str, strip_fields: &[String]) -> Losses {
    let mut losses = Losses::default();
    if request.model().as_deref() != Some(model) {
        request.set("model", Raw::of(model));
    }
    for field in strip_fields {
        if request.remove(field).is_some() {
            losses.add(field.as_str(), "the upstream does not take it");
        }
    }
    for path in take_out(request, is_unsigned) {
        losses.add(path, "the upstream takes no thoughts but those it has signed");
    }
    losses
}

/// The same request without any thoughts in its history, to be sent where [`is_signature_refusal`] says
/// so; nothing where it holds none.
pub fn without_thinking(request: &MessagesRequest) -> Option<MessagesRequest> {
    let mut less = request.clone();
    let taken = take_out(&mut less, |_| true);
    (!taken.is_empty()).then_some(less)
}

/// Whether an upstream refuses the thoughts of a history, because it did not sign them or because they
/// were changed.
pub fn is_signature_refusal(error: &Error) -> bool {
    let text = error.message().to_lowercase();
    let has = |words: &str| text.contains(words);
    let refused = (has("signature") && (has("thinking") || has("field required")))
        || (has("thinking") && has("cannot be modified"));
    error.kind() == ErrorKind::InvalidRequest && refused
}

/// A message with less in it.
struct Less {
    /// Which of the messages.
    at: usize,
    kept: Vec<Raw>,
    /// Which of its blocks are to go.
    taken: Vec<usize>,
}

/// Takes out the thoughts that are to go, and tells where they stood.
///
/// An assistant message of which nothing is left goes as a whole, since an empty one is refused. It
/// called no tool, so no result loses its call, and two user messages in a row are one turn to this
/// API. Where no message at all would be left, all stay, and the upstream says what it thinks of them.
fn take_out(request: &mut MessagesRequest, goes: impl Fn(&Members) -> bool) -> Vec<String> {
    let messages = request.messages().iter().enumerate();
    let less: Vec<Less> = messages.filter_map(|(at, message)| less(at, message, &goes)).collect();
    let emptied = less.iter().filter(|less| less.kept.is_empty()).count();
    if less.is_empty() || emptied == request.messages().len() {
        return Vec::new();
    }
    let messages = request.messages_mut();
    for less in less.iter().rev() {
        if less.kept.is_empty() {
            messages.remove(less.at);
        } else if let Some(message) = messages.get_mut(less.at) {
            message.set("content", Raw::of(&less.kept));
        }
    }
    let path = |at: usize, block: &usize| format!("messages[{at}].content[{block}]");
    less.iter().flat_map(|less| less.taken.iter().map(|block| path(less.at, block))).collect()
}

/// What is left of an assistant's message; nothing where all stays.
fn less(at: usize, message: &Members, goes: impl Fn(&Members) -> bool) -> Option<Less> {
    let blocks = message.get("content").filter(|_| message.is("role", "assistant"))?.items()?;
    let mut less = Less { at, kept: Vec::with_capacity(blocks.len()), taken: Vec::new() };
    for (place, block) in blocks.into_iter().enumerate() {
        if block.members().is_some_and(|block| is_thought(&block) && goes(&block)) {
            less.taken.push(place);
        } else {
            less.kept.push(block);
        }
    }
    (!less.taken.is_empty()).then_some(less)
}

fn is_thought(block: &Members) -> bool {
    matches!(block.text("type").as_deref(), Some("thinking" | "redacted_thinking"))
}

/// Whether nobody has signed a thought, or we have: no upstream knows that signature. A redacted thought
/// is nothing but its own seal.
fn is_unsigned(block: &Members) -> bool {
    let seal = if block.is("type", "thinking") { "signature" } else { "data" };
    let seal = block.text(seal).unwrap_or_default();
    seal.is_empty() || signature::is_ours(&seal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn request(body: &str) -> MessagesRequest {
        MessagesRequest::parse(&Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    /// What a request with these messages becomes, and what is told of it.
    fn prepared(messages: &str) -> (String, Vec<String>) {
        let mut request = request(&format!(r#"{{"model":"m","messages":{messages}}}"#));
        let losses = prepare(&mut request, "m", &[]);
        let body = request.to_bytes();
        let paths = losses.iter().map(|loss| loss.path.clone()).collect();
        let text = std::str::from_utf8(&body).unwrap();
        let text = text.strip_prefix(r#"{"model":"m","messages":"#).unwrap().strip_suffix('}').unwrap();
        (text.to_owned(), paths)
    }

    #[test]
    fn a_request_that_needs_no_change_leaves_as_the_bytes_that_came() {
        let body = "{ \"model\": \"m\", \"max_tokens\": 1E3,\n \"messages\": [ {\"role\": \"assistant\", \"content\": \
            [ {\"type\":\"thinking\",\"thinking\":\"x\",\"signature\":\"EqQB\"}, {\"type\": \"redacted_thinking\", \"data\": \"Em4K\"} ]} ] }";
        let mut request = request(body);
        assert!(prepare(&mut request, "m", &["betas".to_owned()]).lines().is_empty());
        assert_eq!(request.to_bytes(), body);
    }

    #[test]
    fn the_model_is_named_and_refused_members_go() {
        let mut request = request(
            r#"{"model":"opus","context_management":{"edits":[]},"zeta":1E5,"messages":[{"role":"user","content":"x\u0041"}],"metadata": {"a": 1.10}}"#,
        );
        let losses = prepare(&mut request, "glm-5", &["context_management".to_owned(), "absent".to_owned()]);
        assert_eq!(losses.lines(), ["context_management: the upstream does not take it"]);
        assert_eq!(
            request.to_bytes(),
            r#"{"model":"glm-5","zeta":1E5,"messages":[{"role":"user","content":"x\u0041"}],"metadata":{"a": 1.10}}"#
        );
    }

    #[test]
    fn thoughts_that_the_upstream_has_not_signed_go() {
        let text = r#"{"type":"text", "text":"said\u0021"}"#;
        let user = r#"{"role":"user","content":"go on"}"#;
        let foreign = r#"{"type":"thinking","signature":"EqQB+/=","thinking":"t", "odd":1E5}"#;
        for thought in [
            r#"{"type":"thinking","thinking":"t","signature":"ifw1.glm.0123456789abcdef"}"#,
            r#"{"type":"thinking","thinking":"t","signature":""}"#,
            r#"{"type":"thinking","thinking":"t","signature":null}"#,
            r#"{"type":"thinking","thinking":"t"}"#,
            r#"{"type":"redacted_thinking"}"#,
            r#"{"type":"redacted_thinking","data":""}"#,
        ] {
            let said = |blocks: &str| {
                format!(r#"[{user},{{"role":"assistant","content":[{blocks}],"odd":1.0}},{user}]"#)
            };
            let (less, paths) = prepared(&said(&format!("{foreign},{thought},{text}")));
            assert_eq!(less, said(&format!("{foreign},{text}")), "{thought}");
            assert_eq!(paths, ["messages[1].content[1]"]);
            assert_eq!(prepared(&said(thought)).0, format!("[{user},{user}]"), "nothing is left: {thought}");
        }
    }

    #[test]
    fn thoughts_stay_where_no_message_would_be_left_and_where_they_are_none() {
        let ours = r#"{"type":"thinking","thinking":"t","signature":"ifw1.glm.0"}"#;
        for messages in [
            format!(r#"[{{"role":"assistant","content":[{ours}]}}]"#),
            format!(r#"[{{"role":"user","content":[{ours}]}}]"#),
            r#"[{"role":"assistant","content":"thinking"},{"role":"assistant"},{"role":"assistant","content":[]}]"#
                .to_owned(),
            format!(
                r#"[{{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"n","input":{ours}}}]}}]"#
            ),
        ] {
            assert_eq!(prepared(&messages), (messages.clone(), Vec::new()));
        }
    }

    #[test]
    fn all_thoughts_go_for_a_retry() {
        let body = r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"EqQB"},{"type":"redacted_thinking","data":"Em4K"},{"type":"text","text":"a"}]}],"max_tokens":1E3}"#;
        let less = without_thinking(&request(body)).map(|less| less.to_bytes());
        let expected = r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"text","text":"a"}]}],"max_tokens":1E3}"#;
        assert_eq!(less.as_deref(), Some(expected.as_bytes()));
        assert!(without_thinking(&request(expected)).is_none(), "there is nothing to try");
    }

    #[test]
    fn refusals_of_thoughts_are_known() {
        let refused = |kind, text: &'static str| is_signature_refusal(&Error::new(kind, text));
        for text in [
            "upstream `a`: messages.1.content.0: Invalid `signature` in `thinking` block",
            "Invalid signature in thinking block",
            "messages.3.content.0.thinking.signature: Field required",
            "signature: Field required",
            "messages.5.content.1: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
            "thinking blocks cannot be modified",
        ] {
            assert!(refused(ErrorKind::InvalidRequest, text), "{text}");
            assert!(!refused(ErrorKind::BadAnswer, text), "{text}");
        }
        for text in
            ["max_tokens: Field required", "thinking.budget_tokens: too small", "bad webhook signature"]
        {
            assert!(!refused(ErrorKind::InvalidRequest, text), "{text}");
        }
    }
}
