//! `cargo bench -- [FILTER…]`: measures, prints, and asserts nothing about time.
//!
//! Without a filter everything runs, in under four minutes on two cores. A filter is a part's name or a
//! piece of it. The end-to-end parts run the mock upstream and the minimal proxy (the floor) as processes
//! of their own, which are this very binary, so that each one's CPU time and memory can be told apart.
//! Trust ratios, which are measured back to back, more than absolutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod floor;
mod load;
mod memory;
mod mock;
mod process;
mod pure;
mod requests;
mod streams;
mod table;
mod texts;

use std::process::ExitCode;
use std::time::Instant;

/// What can be chosen by name.
const PARTS: [(&str, fn()); 12] = [
    ("tokens", pure::tokens),
    ("translate", pure::translate),
    ("chunks", pure::chunks),
    ("render", pure::render),
    ("startup", memory::startup),
    ("requests", requests::small),
    ("ttfc", requests::first_content),
    ("streams-100", streams::hundred),
    ("streams-1000", streams::thousand),
    ("burst", streams::burst),
    ("large", requests::large),
    ("unread", memory::unread),
];

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // What cargo says to every bench.
    arguments.retain(|argument| argument != "--bench");
    match arguments.first().map(String::as_str) {
        Some("--role-mock") => return mock::main(),
        Some("--role-floor") => return floor::main(&arguments[1]),
        Some(flag) if flag.starts_with('-') => {
            let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
            eprintln!("usage: cargo bench [-- FILTER…]\nparts: {}", names.join(" "));
            return ExitCode::from(2);
        }
        _ => {}
    }
    let started = Instant::now();
    println!("{}", table::machine());
    for (name, part) in PARTS {
        if arguments.is_empty() || arguments.iter().any(|filter| name.contains(filter.as_str())) {
            println!("\n# {name}");
            part();
        }
    }
    println!("\n{:.0} s in all", started.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}
