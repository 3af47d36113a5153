//! What no rule has to change goes through the OpenAI face as the bytes it is (D01, D02, D05, D12).

use super::{DONE, STREAM, WHOLE};
use crate::support::program::serve;
use crate::support::upstream::{Exchange, Upstream};

/// Numbers that no parser's number type keeps, members that nobody knows, keys in no order, and
/// white space as nobody writes it. `stream` is put in where the mark is.
const ODD: &str = concat!(
    "  {\"zeta\" : {\"b\":1,\"a\":[ ]},\"seed\":18446744073709551615,\t\"messages\":[",
    "{\"content\":\"gr\\u00fc\\u00df\\ud83d\\ude00dich\\/\",\"name\":\"\u{5f20}\",\"role\":\"system\"} ,\n",
    "{\"role\":\"user\",\"content\":[{\"text\":\"hi\",\"type\":\"text\",\"cache_control\":{\"type\":\"ephemeral\"}}]},",
    "{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"hm\",\"tool_calls\":[{\"id\":\"functions.f:0\",",
    "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1.10}\"}}],\"refusal\":null},",
    "{\"role\":\"tool\",\"tool_call_id\":\"functions.f:0\",\"content\":\"\"}],",
    "\"temperature\":1.10,\"top_p\":1E5,\"presence_penalty\":1e-7,\"model\":\"glm-4.7\",",
    "\"logit_bias\":{\"50256\":-100.0},\"n\":1,\"logprobs\":true,\"top_logprobs\":2,\"user\":\"u\",",
    "\"max_completion_tokens\":12345678,\"big\":12345678901234567890123,\"nested\":{\"x\":{\"y\":null,\"x\":-0.0}},",
    "\"tools\":[{\"type\":\"function\",\"function\":{\"strict\":true,\"name\":\"f\",\"parameters\":{\"z\":1,\"a\":2}}}],",
    "\"tool_choice\":\"auto\",\"parallel_tool_calls\":false,\"store\":false,\"metadata\":{},\"service_tier\":\"flex\",",
    "\"response_format\":{\"type\":\"text\"},\"chat_template_kwargs\":{\"enable_thinking\":true},\"top_k\":40,",
    "\"reasoning_effort\":\"low\",\"verbosity\":\"low\",\"enable_thinking\":false,\"thinking\":{\"type\":\"enabled\"}MARK}\n",
);

/// A whole answer with as much of that as an answer can hold.
const ODD_ANSWER: &str = concat!(
    "{ \"usage\" : {\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12,\"cost\":1E-5,\"x\":1.10},\n",
    "\"id\":\"odd\",\"created\":1700000000,\"model\":\"glm-4.7\",\"object\":\"chat.completion\",\"service_tier\":null,",
    "\"choices\":[{\"finish_reason\":\"tool_calls\",\"index\":0,\"logprobs\":{\"content\":[{\"logprob\":-1e-05}]},",
    "\"message\":{\"content\":\"\\u00fc\\/\",\"role\":\"assistant\",\"reasoning_content\":\"hm\",\"annotations\":[],",
    "\"refusal\":null,\"tool_calls\":[{\"type\":\"function\",\"id\":\"functions.f:0\",\"function\":",
    "{\"arguments\":\"{\\\"n\\\":1.10}\",\"name\":\"f\"},\"x\":12345678901234567890123}]}},",
    "{\"index\":1,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"two\"}}],",
    "\"system_fingerprint\":\"fp\",\"vendor\":{\"n\":18446744073709551616}}\n",
);

#[tokio::test]
async fn a_request_that_no_rule_must_change_reaches_the_upstream_byte_for_byte() {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let program = serve(&upstream).start().await;
    let request = ODD.replace("MARK", "");
    let mut answer = program.chat(&request).await;
    assert_eq!((answer.status, answer.text().await.as_str()), (200, WHOLE));
    assert_eq!(upstream.request().text(), request);
}

#[tokio::test]
async fn a_streamed_request_only_gets_the_wish_for_usage_at_its_end() {
    let upstream = Upstream::start([Exchange::stream(STREAM)]).await;
    let program = serve(&upstream).start().await;
    program.chat(ODD.replace("MARK", ",\"stream\":true")).await.bytes().await;
    let sent = upstream.request();
    let expected = ODD.replace("MARK", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    assert_eq!(without_spaces(&sent.text()), without_spaces(&expected));
}

#[tokio::test]
async fn a_streamed_request_that_asks_for_usage_itself_is_not_touched() {
    let upstream = Upstream::start([Exchange::stream(STREAM)]).await;
    let program = serve(&upstream).start().await;
    let request =
        ODD.replace("MARK", ",\"stream_options\":{\"x\":1.0,\"include_usage\": true},\"stream\": true");
    let mut answer = program.chat(&request).await;
    assert_eq!(answer.text().await, STREAM);
    assert_eq!(upstream.request().text(), request);
}

#[tokio::test]
async fn a_whole_answer_comes_back_byte_for_byte() {
    let upstream = Upstream::start([Exchange::answer(200, ODD_ANSWER)]).await;
    let program = serve(&upstream).start().await;
    let mut answer = program.chat(super::CHAT).await;
    assert_eq!(answer.text().await, ODD_ANSWER);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn frames_that_no_rule_must_change_come_back_byte_for_byte() {
    let frames = [
        super::chunk("{ \"index\":0, \"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null}"),
        super::delta("{\"reasoning_content\":\"h\\u00fcm\",\"x\":1.10}"),
        super::delta("{\"content\":\"a\\/b \\ud83d\\ude00\"},\"vendor\":{\"n\":12345678901234567890123}"),
        super::delta("{\"tool_calls\":[{\"index\":0,\"id\":\"functions.f:0\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}"),
        super::delta("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"n\\\": 1E5}\"}}]}"),
        super::chunk("{\"index\":1,\"delta\":{\"content\":\"two\"},\"finish_reason\":\"length\"}"),
        super::finish("tool_calls"),
        DONE.to_owned(),
    ]
    .concat();
    let upstream = Upstream::start([Exchange::stream(&frames)]).await;
    let program = serve(&upstream).start().await;
    let mut answer = program.chat(super::CHAT_STREAM).await;
    assert_eq!(answer.text().await, frames);
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
}

#[tokio::test]
async fn a_name_of_an_upstream_before_the_models_changes_only_the_models_name_there_and_back() {
    let streamed = STREAM.replace("\"usage\":{", "\"usage\":{\"cost\":1E-5,");
    let upstream = Upstream::start([Exchange::answer(200, ODD_ANSWER), Exchange::stream(&streamed)]).await;
    let program = serve(&upstream).start().await;

    let request = ODD.replace("MARK", "").replace("glm-4.7", "env/glm-4.7");
    let mut answer = program.chat(&request).await;
    let expected = ODD_ANSWER.replace("glm-4.7", "env/glm-4.7");
    assert_eq!(without_spaces(&answer.text().await), without_spaces(&expected));
    assert_eq!(answer.header("x-iflow2api-model"), Some("glm-4.7"));

    let request = ODD.replace("MARK", ",\"stream_options\":{\"include_usage\":true},\"stream\":true");
    let mut answer = program.chat(request.replace("glm-4.7", "env/glm-4.7")).await;
    assert_eq!(answer.text().await, streamed.replace("glm-4.7", "env/glm-4.7"));

    let sent: Vec<String> = upstream.requests().iter().map(|sent| without_spaces(&sent.text())).collect();
    assert_eq!(sent, [without_spaces(&ODD.replace("MARK", "")), without_spaces(&request)]);
}

/// Nothing but the white space between members may differ, once a rule has changed one of them. No
/// text of these fixtures has a space that matters.
fn without_spaces(text: &str) -> String {
    text.split_ascii_whitespace().collect()
}
