//! F-2: streams come in every sort of pieces, and in every form that the format allows.

use crate::program::STREAMED;
use crate::support::program::serve;
use crate::support::upstream::{Exchange, STREAM_HEAD, Step, Upstream, send};
use futures_util::StreamExt as _;

/// What a face says, without what differs from call to call.
fn blurred(text: &str) -> String {
    let mut parts = text.split("\"id\":\"msg_");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + "\"id\":\"msg_" + part.split_once('"').unwrap().1)
}

async fn answers(exchanges: Vec<Exchange>) -> Vec<String> {
    let mut texts = Vec::new();
    for exchange in exchanges {
        for (path, body) in STREAMED {
            let upstream = Upstream::start([exchange.clone()]).await;
            let program = serve(&upstream).start().await;
            texts.push(blurred(&program.post(path, body).await.text().await));
        }
    }
    texts
}

/// The data of each event as a client reads it: lines joined, and then as JSON.
fn joined(text: &str) -> Vec<serde_json::Value> {
    let frames = text.split("\n\n").filter(|frame| frame.contains("data:"));
    let data = frames.map(|frame| {
        let lines = frame.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    });
    data.map(|data| serde_json::from_str(&data).unwrap_or(serde_json::Value::String(data))).collect()
}

#[tokio::test]
async fn f_2_every_form_of_the_format_gives_the_same() {
    for name in ["text", "thinking", "tools"] {
        let plain = super::recorded::recording(name);
        let expected = answers(vec![Exchange::stream(&plain)]).await;
        let body = plain.trim_end();
        let forms = [
            ("CRLF", plain.replace('\n', "\r\n")),
            ("CR", plain.replace('\n', "\r")),
            ("a byte-order mark", format!("\u{feff}{plain}")),
            ("comments", plain.replace("\n\n", "\n\n: OPENROUTER PROCESSING\n\n:\n")),
            ("event and id lines", plain.replace("data: ", "id: 1\nevent: message\nretry: 5\ndata: ")),
            ("no space", plain.replace("data: ", "data:")),
            ("data in several lines", plain.replace(",\"choices\":", "\ndata: ,\"choices\":")),
            ("a last line without its end", body.to_owned()),
        ];
        for (form, text) in forms {
            let got = answers(vec![Exchange::stream(text)]).await;
            assert_eq!(got[1], expected[1], "{name} with {form}");
            let data = |text: &str| {
                text.lines().map(str::to_owned).filter(|line| line.starts_with("data:")).collect::<Vec<_>>()
            };
            if form == "data in several lines" {
                assert_eq!(joined(&got[0]), joined(&expected[0]), "{name} with {form}");
            } else {
                assert_eq!(data(&got[0]), data(&expected[0]), "{name} with {form}");
            }
        }
    }
}

#[tokio::test]
async fn f_2_a_split_anywhere_gives_the_same() {
    let text = super::recorded::recording("text");
    let expected = answers(vec![Exchange::stream(&text)]).await;
    let bytes = text.as_bytes();
    let single: Vec<Step> = [send(STREAM_HEAD)]
        .into_iter()
        .chain(bytes.iter().map(|&byte| Step::Send(vec![byte])))
        .chain([Step::Close])
        .collect();
    assert_eq!(answers(vec![Exchange::steps(single)]).await, expected, "byte by byte");

    let cuts: Vec<usize> = (0..=bytes.len()).collect();
    let script: Vec<Exchange> = cuts
        .iter()
        .map(|&cut| {
            let (head, tail) = bytes.split_at(cut);
            let first = Step::Send([STREAM_HEAD.as_bytes(), head].concat());
            Exchange::steps([first, Step::Send(tail.to_vec()), Step::Close])
        })
        .collect();
    for ((path, body), expected) in STREAMED.into_iter().zip(&expected) {
        let upstream = Upstream::start(script.clone()).await;
        let program = serve(&upstream).arguments(&["-q"]).start().await;
        let program = &program;
        let run = futures_util::stream::iter(&cuts).map(|_| async move {
            assert_eq!(&blurred(&program.post(path, body).await.text().await), expected, "{path}");
        });
        run.buffer_unordered(4).collect::<Vec<()>>().await;
    }
}
