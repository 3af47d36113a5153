//! Streams end to end: many slow ones, and a few as fast as they go. Every chunk bears its number.

use crate::load::{self, Face, Streamed};
use crate::process::{Process, Trio};
use crate::table::{Pair, ROUNDS, head, line};
use crate::texts;
use futures_util::future::{Either, join_all, select};
use std::pin::pin;
use std::time::Duration;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// So many streams of so many chunks, with so many milliseconds between them.
struct Shape {
    streams: usize,
    chunks: u64,
    delay: u64,
}

/// What one run came to.
struct Outcome {
    /// CPU seconds of a million chunks.
    spent: f64,
    /// The most memory, in MB.
    resident: f64,
    wrong: u64,
}

/// A hundred streams.
pub fn hundred() {
    measure(&Shape { streams: 100, chunks: 60, delay: 20 }, ["", ""], "");
}

/// A thousand streams.
pub fn thousand() {
    measure(&Shape { streams: 1000, chunks: 15, delay: 20 }, ["<= 1.15x", "<= 1.25x"], "<= 1.4x (~70 MB)");
}

/// Chunks without a pause.
pub fn burst() {
    measure(&Shape { streams: 4, chunks: 30_000, delay: 0 }, ["<= 1.6x", "<= 1.8x"], "");
}

fn measure(shape: &Shape, goals: [&str; 2], memory_goal: &str) {
    head();
    let mut wrong = 0;
    for (face, goal) in Face::ALL.into_iter().zip(goals) {
        let trio = Trio::start();
        let (mut spent, mut resident) = (Pair::default(), Pair::default());
        trio.each(|process| load::run(run(process, face, shape)));
        for _ in 0..ROUNDS {
            let (floor, ours) = trio.each(|process| load::run(run(process, face, shape)));
            spent.add(floor.spent, ours.spent);
            resident.add(floor.resident, ours.resident);
            wrong += ours.wrong;
        }
        let name = match shape.delay {
            0 => format!("{} burst", face.name()),
            _ => format!("{} {} streams", face.name(), shape.streams),
        };
        spent.print(&format!("{name}, CPU per 1M chunks"), "s", goal);
        resident.print(&format!("{name}, RSS"), "MB", memory_goal);
    }
    line("chunks lost or misplaced by ours", wrong as f64, "", "0");
}

async fn run(process: &Process, face: Face, shape: &Shape) -> Outcome {
    let model = format!("stream,chunks={},delay={}", shape.chunks, shape.delay);
    let body = texts::small(face, &model);
    let mut connections = load::connections(process.address, shape.streams).await;
    let before = process.spent();
    let mut resident = process.resident();
    let mut streams = pin!(join_all(connections.iter_mut().map(|connection| connection.stream(face, &body))));
    let streamed = loop {
        match select(streams.as_mut(), pin!(tokio::time::sleep(LOOK))).await {
            Either::Left((streamed, _)) => break streamed,
            Either::Right(_) => resident = resident.max(process.resident()),
        }
    };
    let spent = process.since(&before);
    let wrong = |stream: &Streamed| stream.misplaced + stream.chunks.abs_diff(shape.chunks);
    let chunks = shape.streams as f64 * shape.chunks as f64;
    Outcome {
        spent: spent / chunks * 1e6,
        resident: resident.max(process.resident()),
        wrong: streamed.iter().map(wrong).sum(),
    }
}
