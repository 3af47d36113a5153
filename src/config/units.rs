//! Durations and sizes as texts with a unit: `1m30s`, `32MiB`.

use super::value::{Fault, quoted};
use std::time::Duration;

const DURATION_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// Reads a duration: numbers with units, added up.
pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    let fault = || {
        Fault::new(format!("must be a duration, not {}", quoted(text)))
            .with_hint("write numbers with a unit of `ms`, `s`, `m`, `h` or `d`, as in `30s` or `1m30s`")
    };
    let mut rest = text.trim();
    let mut milliseconds: u64 = 0;
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        let (number, after) = leading_number(rest).ok_or_else(fault)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let part = scale(number, unit.trim(), DURATION_UNITS).ok_or_else(fault)?;
        milliseconds = milliseconds.checked_add(part).ok_or_else(fault)?;
        rest = next;
    }
    Ok(Duration::from_millis(milliseconds))
}

/// Reads a number of bytes. Units count in thousands or, with an `i`, in 1024s; capitals do not matter.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    let fault = || {
        Fault::new(format!("must be a size, not {}", quoted(text)))
            .with_hint("write a number of bytes, or one with a unit such as `KiB`, `MiB`, `GiB` or `MB`")
    };
    let (number, unit) = leading_number(text.trim()).ok_or_else(fault)?;
    scale(number, &unit.trim().to_ascii_lowercase(), SIZE_UNITS).ok_or_else(fault)
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

fn scale(number: u64, unit: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}
