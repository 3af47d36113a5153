//! Starting, being idle, and clients that do not read.

use crate::load::{self, Connection, Face};
use crate::process::{Process, Trio};
use crate::table::{Pair, ROUNDS, head};
use crate::texts;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How many clients do not read, and how many bytes each leaves.
const UNREAD: usize = 8;
const UNREAD_MODEL: &str = "stream,chunks=10000,size=4000";
/// How long they do not.
const PAUSE: Duration = Duration::from_millis(1500);

/// From the start of the process to the first answer through it, and the memory it then has.
pub fn startup() {
    let mock = Process::mock().wait();
    let (mut times, mut idle) = (Pair::default(), Pair::default());
    for _ in 0..ROUNDS * 3 {
        let (floor, ours) = (start(|| Process::floor(mock.address)), start(|| Process::ours(mock.address)));
        times.add(floor.0, ours.0);
        idle.add(floor.1, ours.1);
    }
    head();
    times.print("startup to first 200", "ms", "<= 5x (10-15 ms)");
    idle.print("idle RSS", "MB", "<= 2.5x (9 MB)");
}

fn start(process: impl FnOnce() -> Process) -> (f64, f64) {
    let body = texts::small(Face::OpenAi, "whole");
    let started = Instant::now();
    let process = process();
    while std::net::TcpStream::connect(process.address).is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not start");
        std::thread::sleep(Duration::from_micros(200));
    }
    load::run(async { Connection::open(process.address).await.whole(Face::OpenAi, &body).await });
    (started.elapsed().as_secs_f64() * 1e3, process.resident())
}

/// What eight clients cost that never read a stream of 40 MB.
pub fn unread() {
    head();
    for face in Face::ALL {
        let trio = Trio::start();
        let (floor, ours) = trio.each(|process| {
            load::run(async {
                let small = texts::small(face, "stream,chunks=100");
                Connection::open(process.address).await.stream(face, &small).await;
            });
            let before = process.resident();
            load::run(held(process.address, face));
            process.resident() - before
        });
        let mut pair = Pair::default();
        pair.add(floor, ours);
        pair.print(&format!("{} {UNREAD} unread streams, RSS growth", face.name()), "MB", "<= 4 MB");
    }
}

async fn held(address: SocketAddr, face: Face) {
    let body = texts::small(face, UNREAD_MODEL);
    let mut held = Vec::new();
    for _ in 0..UNREAD {
        let mut connection = Connection::open(address).await;
        let response = connection.send(face, &body).await;
        held.push((connection, response));
    }
    tokio::time::sleep(PAUSE).await;
}
