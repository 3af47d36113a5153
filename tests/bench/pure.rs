//! The pure core alone: CPU time of this thread, no sockets.

use crate::load::Face;
use crate::process::own_thread;
use crate::table::{line, median};
use crate::texts::{self, MEGABYTE};
use bytes::Bytes;
use iflow2api::chat::render::{Look, Renderer};
use iflow2api::dialect::Dialect;
use iflow2api::gateway::relay::{Asked, Relay};
use iflow2api::policy::failure::Judge;
use iflow2api::policy::filters::Filters;
use iflow2api::step::{Step, Then};
use iflow2api::translate::request::messages_to_chat;
use iflow2api::translate::tokens::{self, Vocabulary};
use iflow2api::translate::{Echo, MessageStream};
use iflow2api::wire::anthropic::MessagesRequest;
use iflow2api::wire::openai::{ChatRequest, Reading};
use iflow2api::wire::sse::{Frame, FrameDecoder};
use std::hint::black_box;

/// How often each figure is taken.
const ROUNDS: usize = 5;
/// How many chunks are one round.
const CHUNKS: usize = 100_000;

/// The seconds of CPU time of one call, the middle of some rounds; the first call is not counted.
fn seconds<T>(calls: usize, mut work: impl FnMut() -> T) -> f64 {
    black_box(work());
    let mut round = || {
        let before = own_thread();
        (0..calls).for_each(|_| drop(black_box(work())));
        (own_thread() - before) / calls as f64
    };
    median((0..ROUNDS).map(|_| round()).collect())
}

/// Counting: texts in each vocabulary, and the estimate of an agent's request.
pub fn tokens() {
    let request = texts::agent(Face::OpenAi, "mock", MEGABYTE);
    let request = ChatRequest::parse(&request).unwrap();
    let texts =
        ["english.txt", "chinese.txt", "code.txt"].map(|name| (name, texts::repeated(name, MEGABYTE)));
    for vocabulary in [
        Vocabulary::O200k,
        Vocabulary::DeepSeek,
        Vocabulary::Glm,
        Vocabulary::Kimi,
        Vocabulary::Qwen,
        Vocabulary::MiniMax,
    ] {
        for (name, text) in &texts {
            let spent = seconds(1, || tokens::count(vocabulary, text)) * 1e3;
            line(&format!("count 1 MB of {name}, {vocabulary:?}"), spent, "ms", "< 20 ms");
        }
        let spent =
            seconds(1, || tokens::estimate(vocabulary, request.messages(), request.get("tools"))) * 1e3;
        line(&format!("estimate a 1 MB agent request, {vocabulary:?}"), spent, "ms", "< 20 ms");
    }
}

/// Answers for the terminal, in pieces of the length of a token.
pub fn render() {
    let code = format!("```rust\n{}\n```\n", texts::repeated("code.txt", MEGABYTE / 10));
    let [english, chinese] = ["english.txt", "chinese.txt"].map(|name| texts::repeated(name, MEGABYTE / 10));
    for (name, text) in [("prose", &english), ("Chinese", &chinese), ("code", &code)] {
        let pieces: Vec<String> = text.chars().collect::<Vec<_>>().chunks(4).map(String::from_iter).collect();
        let spent = seconds(1, || {
            let mut renderer = Renderer::new(Look { width: Some(80), color: true, unicode: true });
            let shown: usize = pieces.iter().map(|piece| renderer.push(piece).len()).sum();
            shown + renderer.finish().len()
        });
        line(&format!("render 100 kB of {name}"), spent * 1e3, "ms", "< 500 ms");
    }
}

/// Requests: read, translated and written.
pub fn translate() {
    for megabytes in [1, 5] {
        let length = megabytes * MEGABYTE;
        let calls = 20 / megabytes;
        let body = texts::agent(Face::Anthropic, "stream", length);
        let parse = seconds(calls, || MessagesRequest::parse(&body).unwrap()) * 1e3;
        let request = MessagesRequest::parse(&body).unwrap();
        let dialect = Dialect::default();
        let convert = || messages_to_chat(&request, "mock", &dialect).unwrap().request;
        let converting = seconds(calls, convert) * 1e3;
        let chat = convert();
        let write = seconds(calls, || chat.to_bytes()) * 1e3;
        let sum = parse + converting + write;
        line(&format!("messages request of {megabytes} MB: parse"), parse, "ms", "");
        line(&format!("messages request of {megabytes} MB: messages_to_chat"), converting, "ms", "");
        line(&format!("messages request of {megabytes} MB: to_bytes"), write, "ms", "");
        line(&format!("messages request of {megabytes} MB: all three"), sum, "ms", "0.6-0.8 ms per MB");
        let body = texts::agent(Face::OpenAi, "stream", length);
        let parse = seconds(calls, || ChatRequest::parse(&body).unwrap().to_bytes()) * 1e3;
        line(
            &format!("chat request of {megabytes} MB: parse, unchanged to_bytes"),
            parse,
            "ms",
            "0.42 ms per MB",
        );
        let mut request = ChatRequest::parse(&body).unwrap();
        request.set("user", iflow2api::wire::json::Raw::of("someone"));
        let write = seconds(calls, || request.to_bytes()) * 1e3;
        line(&format!("chat request of {megabytes} MB: to_bytes after a change"), write, "ms", "");
        let checking = seconds(calls, || iflow2api::translate::check::chat(&request)) * 1e3;
        line(&format!("chat request of {megabytes} MB: check"), checking, "ms", "");
    }
}

/// Chunks, stage by stage and over each face's whole way.
pub fn chunks() {
    let chunk = |number: usize| {
        format!(
            "data: {{\"id\":\"chatcmpl-9f2c6a31\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\
             \"model\":\"mock\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"#{number:06} word\"}},\
             \"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
        )
    };
    let chunks: Vec<Bytes> = (0..CHUNKS).map(|number| Bytes::from(chunk(number))).collect();
    let report = |name: &str, seconds: f64, goal: &str| {
        line(&format!("{name}, per chunk"), seconds / CHUNKS as f64 * 1e9, "ns", goal);
    };
    report("decode", seconds(1, || decoded(&chunks, |_| {})), "");
    let read = |frame: &Frame| Judge::plain("mock").read_frame(&frame.data).unwrap();
    report("decode, read", seconds(1, || decoded(&chunks, |frame| drop(black_box(read(&frame))))), "");
    report("relay: decode, read, Relay", seconds(1, || relayed(&chunks, &read)), "500-800 with a Value");
    report("messages: decode, read, filters, MessageStream", seconds(1, || told(&chunks, &read, false)), "");
    report(
        "messages: the same, to_frame, into_bytes",
        seconds(1, || told(&chunks, &read, true)),
        "500-800 with a Value",
    );
}

fn decoded(chunks: &[Bytes], mut each: impl FnMut(Frame)) {
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut frames).unwrap();
        frames.drain(..).for_each(&mut each);
    }
}

fn relayed(chunks: &[Bytes], read: &impl Fn(&Frame) -> Reading) {
    let mut relay = Relay::new(Asked::plain("mock"));
    let mut out = Vec::new();
    decoded(chunks, |frame| {
        let reading = read(&frame);
        relay.push((frame, reading), &mut out).unwrap();
        out.drain(..).for_each(|frame| drop(black_box(frame.into_bytes())));
    });
}

fn told(chunks: &[Bytes], read: &impl Fn(&Frame) -> Reading, written: bool) {
    let filters = Filters::new(false, None, "seed");
    let mut steps = Then::new(filters, MessageStream::new(Echo::default()));
    let mut out = Vec::new();
    decoded(chunks, |frame| {
        steps.push(read(&frame), &mut out).unwrap();
        for event in out.drain(..) {
            if written {
                black_box(event.to_frame().into_bytes());
            } else {
                black_box(event);
            }
        }
    });
}
