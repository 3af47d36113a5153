//! Requests end to end: small ones one by one and many at once, large ones, and the time to the first
//! content on a connection that was used before.

use crate::load::{self, Connection, Face};
use crate::process::{Process, Trio};
use crate::table::{Pair, ROUNDS, head, line, median};
use crate::texts::{self, MEGABYTE};
use bytes::Bytes;
use futures_util::future::join_all;
use std::time::Instant;

/// How many requests are sent one by one.
const ALONE: usize = 600;
/// How many clients send at once, and how many requests each.
const CLIENTS: usize = 32;
const EACH: usize = 120;
/// How many streams the first content is timed of.
const FIRSTS: usize = 25;

/// Whole answers to small requests.
pub fn small() {
    let trio = Trio::start();
    head();
    let body = texts::small(Face::OpenAi, "whole");
    trio.each(|process| load::run(alone(process, &body)));
    let mut pair = Pair::default();
    for _ in 0..ROUNDS {
        let (floor, ours) = trio.each(|process| load::run(alone(process, &body)));
        pair.add(floor, ours);
    }
    pair.print("OpenAI c=1 p50", "us", "<= 1.6x");
    for (face, spent_goal, rate_goal) in
        [(Face::OpenAi, "<= 1.6x", ">= 0.75x"), (Face::Anthropic, "<= 2.0x", ">= 0.6x")]
    {
        let body = texts::small(face, "whole");
        let (mut spent, mut rate) = (Pair::default(), Pair::default());
        trio.each(|process| load::run(together(process, face, &body)));
        for _ in 0..ROUNDS {
            let (floor, ours) = trio.each(|process| load::run(together(process, face, &body)));
            spent.add(floor.0, ours.0);
            rate.add(floor.1, ours.1);
        }
        spent.print(&format!("{} c={CLIENTS} CPU per request", face.name()), "us", spent_goal);
        rate.print(&format!("{} c={CLIENTS} requests per second", face.name()), "1/s", rate_goal);
    }
}

/// The middle of the times of requests sent one by one, in microseconds.
async fn alone(process: &Process, body: &Bytes) -> f64 {
    let mut connection = Connection::open(process.address).await;
    let mut times = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let started = Instant::now();
        connection.whole(Face::OpenAi, body).await;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    median(times)
}

/// The CPU microseconds of a request, and the requests per second, of many clients at once.
async fn together(process: &Process, face: Face, body: &Bytes) -> (f64, f64) {
    let mut connections = load::connections(process.address, CLIENTS).await;
    let (before, started) = (process.spent(), Instant::now());
    let clients = connections.iter_mut().map(|connection| async {
        for _ in 0..EACH {
            connection.whole(face, body).await;
        }
    });
    join_all(clients).await;
    let requests = (CLIENTS * EACH) as f64;
    (process.since(&before) * 1e6 / requests, requests / started.elapsed().as_secs_f64())
}

/// The time to the first content, which the mock sends after 10 ms.
pub fn first_content() {
    let trio = Trio::start();
    head();
    for face in Face::ALL {
        let body = texts::small(face, "stream,chunks=3,first=10");
        let mut pair = Pair::default();
        for _ in 0..ROUNDS {
            let (floor, ours) = trio.each(|process| load::run(firsts(process, face, &body)));
            pair.add(floor, ours);
        }
        pair.print(&format!("{} first content, reused connection", face.name()), "ms", "<= 1.04x");
    }
}

async fn firsts(process: &Process, face: Face, body: &Bytes) -> f64 {
    let mut connection = Connection::open(process.address).await;
    connection.whole(face, body).await;
    let mut times = Vec::with_capacity(FIRSTS);
    for _ in 0..FIRSTS {
        times.push(connection.stream(face, body).await.first.as_secs_f64() * 1e3);
    }
    median(times)
}

/// Large requests: CPU of each, and the most memory of all.
pub fn large() {
    let trio = Trio::start();
    head();
    for megabytes in [1, 5] {
        // An answer that is no stream brings its usage, so that only a stream's request is counted.
        for (face, model, what) in [
            (Face::OpenAi, "whole", ""),
            (Face::Anthropic, "whole", ""),
            (Face::Anthropic, "stream,chunks=1", ", counted"),
        ] {
            let goal = match (megabytes, face) {
                (1, Face::OpenAi) => "<= 3.5x",
                (_, Face::OpenAi) => "<= 3x",
                (_, Face::Anthropic) => "<= 5x, without the count",
            };
            let body = texts::agent(face, model, megabytes * MEGABYTE);
            let count = 30 / megabytes;
            let mut pair = Pair::default();
            trio.each(|process| load::run(one_by_one(process, face, &body, 5)));
            for _ in 0..ROUNDS {
                let (floor, ours) = trio.each(|process| load::run(one_by_one(process, face, &body, count)));
                pair.add(floor, ours);
            }
            pair.print(&format!("{} {megabytes} MB request{what}, CPU", face.name()), "ms", goal);
        }
    }
    let mut pair = Pair::default();
    pair.add(trio.floor.peak(), trio.ours.peak());
    pair.print("large requests, RSS peak", "MB", "<= 2x of 47-59 MB");
    line("large requests, RSS after", trio.ours.resident(), "MB", "");
}

/// The CPU milliseconds of a request.
async fn one_by_one(process: &Process, face: Face, body: &Bytes, count: usize) -> f64 {
    let mut connection = Connection::open(process.address).await;
    let before = process.spent();
    for _ in 0..count {
        connection.whole(face, body).await;
    }
    process.since(&before) * 1e3 / count as f64
}
