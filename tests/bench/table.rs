//! What was measured, as lines of a table, and on what machine.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// How often each end-to-end figure is taken.
pub const ROUNDS: usize = 3;

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One figure of both proxies, round by round.
#[derive(Default)]
pub struct Pair {
    floor: Vec<f64>,
    ours: Vec<f64>,
}

impl Pair {
    /// Adds a round.
    pub fn add(&mut self, floor: f64, ours: f64) {
        self.floor.push(floor);
        self.ours.push(ours);
    }

    /// Prints the medians, and the median of the rounds' ratios.
    pub fn print(&self, metric: &str, unit: &str, goal: &str) {
        let ratios = self.floor.iter().zip(&self.ours).map(|(floor, ours)| ours / floor).collect();
        let (floor, ours) = (median(self.floor.clone()), median(self.ours.clone()));
        println!(
            "{metric:<44} {:>12} {:>12} {:>8}  {goal}",
            figure(floor, unit),
            figure(ours, unit),
            format!("{:.2}x", median(ratios)),
        );
    }
}

/// The line above a table of pairs.
pub fn head() {
    println!("{:<44} {:>12} {:>12} {:>8}  goal", "metric", "floor", "ours", "ratio");
}

/// A line of a figure that has no floor.
pub fn line(metric: &str, value: f64, unit: &str, goal: &str) {
    println!("{metric:<58} {:>12} {:>8}  {goal}", figure(value, unit), "");
}

fn figure(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

/// The machine, its load, and the versions.
pub fn machine() -> String {
    let mut text = String::new();
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let _ = writeln!(
        text,
        "machine   {}, {cores} cores, load {}",
        model.trim_start_matches([' ', '\t', ':']),
        load.trim()
    );
    let _ = writeln!(text, "system    Linux {}", kernel.trim());
    let _ = writeln!(text, "compiler  {}", compiler.unwrap_or_default().trim());
    let _ = write!(
        text,
        "iflow2api {}; floor: a minimal hyper 1 proxy; medians of {ROUNDS} rounds",
        env!("CARGO_PKG_VERSION")
    );
    text
}
