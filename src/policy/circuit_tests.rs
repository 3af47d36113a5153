//! Tests of `circuit`.

use super::*;

const RULES: Rules =
    Rules { failures: 5, wait: Duration::from_secs(5), longest_wait: Duration::from_secs(60) };

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn down() -> Error {
    Error::new(ErrorKind::Unreachable, "no connection")
}

fn fail(circuits: &mut Circuits, model: &str, error: &Error, now: u64) -> Option<Change> {
    let pass = circuits.enter(model, seconds(now)).unwrap();
    circuits.end(pass, model, Some(error), seconds(now))
}

#[test]
fn an_upstream_that_is_down_is_tried_after_5_15_35_and_75_seconds() {
    let mut circuits = Circuits::new(RULES);
    for _ in 0..4 {
        assert_eq!(fail(&mut circuits, "m", &down(), 0), None);
    }
    let opened = Change::Opened { of_model: false, failures: 5, wait: seconds(5) };
    assert_eq!(fail(&mut circuits, "m", &down(), 0), Some(opened));
    let mut probes = Vec::new();
    for now in 0..300 {
        if let Ok(pass) = circuits.enter("other", seconds(now)) {
            probes.push(now);
            assert_eq!(circuits.enter("m", seconds(now)).unwrap_err().wait, PROBE_WAIT, "one at a time");
            circuits.end(pass, "other", Some(&down()), seconds(now));
        }
    }
    assert_eq!(probes, [5, 15, 35, 75, 135, 195, 255], "doubling to a minute");
    let pass = circuits.enter("m", seconds(400)).unwrap();
    assert_eq!(circuits.end(pass, "m", None, seconds(400)), Some(Change::Closed));
    assert_eq!(circuits.states(), (State::Closed, vec![]));
}

#[test]
fn what_counts_against_whom() {
    let of = |kind, status: Option<u16>| {
        let error = Error::new(kind, "x");
        Blame::of(&match status {
            Some(status) => error.with_status(status),
            None => error,
        })
    };
    for (kind, status, expected) in [
        (ErrorKind::Unreachable, None, Blame::Upstream),
        (ErrorKind::TimedOut, None, Blame::Upstream),
        (ErrorKind::TimedOut, Some(504), Blame::Model),
        (ErrorKind::TimedOut, Some(408), Blame::Nobody),
        (ErrorKind::Overloaded, Some(503), Blame::Model),
        (ErrorKind::Overloaded, Some(529), Blame::Model),
        (ErrorKind::BadAnswer, Some(502), Blame::Model),
        (ErrorKind::BadAnswer, Some(500), Blame::Nobody),
        (ErrorKind::BadAnswer, None, Blame::Nobody),
        (ErrorKind::RateLimited, Some(429), Blame::Nobody),
        (ErrorKind::InvalidRequest, Some(400), Blame::Lives),
        (ErrorKind::NotFound, Some(404), Blame::Lives),
    ] {
        assert_eq!(of(kind, status), expected, "{kind:?} {status:?}");
    }
}

#[test]
fn a_model_that_fails_leaves_the_others_alone() {
    let mut circuits = Circuits::new(RULES);
    let full = Error::new(ErrorKind::Overloaded, "full").with_status(503);
    for _ in 0..5 {
        fail(&mut circuits, "m", &full, 0);
    }
    let kept = circuits.enter("m", seconds(1)).unwrap_err();
    assert_eq!(kept, Kept { wait: seconds(4), failures: 5, reason: "full".to_owned() });
    assert!(circuits.enter("n", seconds(1)).is_ok());
    assert_eq!(circuits.states().1, [("m", State::Open { until: seconds(5) })]);
}

#[test]
fn only_failures_in_a_row_count_and_a_probe_that_leaves_gives_its_turn_back() {
    let mut circuits = Circuits::new(RULES);
    for _ in 0..4 {
        fail(&mut circuits, "m", &down(), 0);
    }
    fail(&mut circuits, "m", &Error::new(ErrorKind::NotFound, "x").with_status(404), 0);
    assert_eq!(fail(&mut circuits, "m", &down(), 0), None, "it lived in between");
    for _ in 0..4 {
        fail(&mut circuits, "m", &down(), 0);
    }
    let pass = circuits.enter("m", seconds(5)).unwrap();
    circuits.leave(pass, "m", seconds(5));
    assert!(circuits.enter("m", seconds(5)).is_ok());
}

#[test]
fn models_that_somebody_made_up_are_not_remembered_without_end() {
    let mut circuits = Circuits::new(RULES);
    let full = Error::new(ErrorKind::Overloaded, "full").with_status(503);
    for number in 0..1_000 {
        fail(&mut circuits, &number.to_string(), &full, 0);
    }
    assert_eq!(circuits.models.len(), MAX_MODELS);
}

#[test]
fn zero_failures_is_never() {
    let mut circuits = Circuits::new(Rules { failures: 0, ..RULES });
    for _ in 0..50 {
        assert_eq!(fail(&mut circuits, "m", &down(), 0), None);
    }
}
