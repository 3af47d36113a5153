//! Tests of `circuit`.

use super::*;
use proptest::prelude::*;

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
    assert_eq!(kept, Kept { of_model: true, wait: seconds(4), failures: 5, reason: "full".to_owned() });
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

#[test]
fn a_probe_that_fails_after_others_closed_the_circuit_is_a_failure_like_any_other() {
    let mut circuits = Circuits::new(Rules { failures: 1, ..RULES });
    let slow = circuits.enter("m", seconds(0)).unwrap();
    fail(&mut circuits, "m", &down(), 0);
    let probe = circuits.enter("m", seconds(5)).unwrap();
    assert_eq!(circuits.end(slow, "m", None, seconds(5)), Some(Change::Closed));
    let opened = Change::Opened { of_model: false, failures: 1, wait: seconds(5) };
    assert_eq!(circuits.end(probe, "m", Some(&down()), seconds(6)), Some(opened));
    assert_eq!(circuits.enter("m", seconds(6)).unwrap_err().wait, seconds(5));
}

#[test]
fn a_probe_whose_turn_has_passed_does_not_end_the_next_one_s() {
    let mut circuits = Circuits::new(Rules { failures: 1, ..RULES });
    let slow = circuits.enter("m", seconds(0)).unwrap();
    fail(&mut circuits, "m", &down(), 0);
    let stale = circuits.enter("m", seconds(5)).unwrap();
    circuits.end(slow, "m", None, seconds(5));
    fail(&mut circuits, "m", &down(), 5);
    let probe = circuits.enter("m", seconds(10)).unwrap();
    assert_eq!(circuits.end(stale, "m", Some(&down()), seconds(10)), None);
    circuits.leave(stale, "m", seconds(10));
    assert_eq!(circuits.states().0, State::Probing);
    assert_eq!(circuits.end(probe, "m", None, seconds(10)), Some(Change::Closed));
}

#[test]
fn names_that_somebody_made_up_do_not_let_calls_to_an_open_model_in() {
    let mut circuits = Circuits::new(RULES);
    let full = Error::new(ErrorKind::Overloaded, "full").with_status(503);
    for _ in 0..5 {
        fail(&mut circuits, "real", &full, 0);
    }
    for number in 0..1_000 {
        fail(&mut circuits, &number.to_string(), &full, 1);
    }
    assert_eq!(circuits.enter("real", seconds(1)).unwrap_err().wait, seconds(4));
}

#[test]
fn each_model_is_left_alone_for_its_own_reason() {
    let mut circuits = Circuits::new(RULES);
    for _ in 0..5 {
        fail(&mut circuits, "m", &Error::new(ErrorKind::Overloaded, "full").with_status(503), 0);
    }
    fail(&mut circuits, "n", &Error::new(ErrorKind::BadAnswer, "bad gateway").with_status(502), 0);
    assert_eq!(circuits.enter("m", seconds(1)).unwrap_err().reason, "full");
}

#[test]
fn an_upstream_that_answers_its_probe_with_503_is_open_to_other_models() {
    let mut circuits = Circuits::new(RULES);
    for _ in 0..5 {
        fail(&mut circuits, "m", &down(), 0);
    }
    let full = Error::new(ErrorKind::Overloaded, "full").with_status(503);
    assert_eq!(fail(&mut circuits, "m", &full, 5), Some(Change::Closed));
    assert!(circuits.enter("n", seconds(5)).is_ok());
}

/// What happens next in a random history.
#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    Enter,
    /// The nth call that is under way ends well, fails or leaves.
    Succeed(prop::sample::Index),
    Fail(prop::sample::Index),
    Leave(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        2 => (0..8_000_u64).prop_map(Event::Pass),
        4 => Just(Event::Enter),
        1 => which().prop_map(Event::Succeed),
        4 => which().prop_map(Event::Fail),
        1 => which().prop_map(Event::Leave),
    ]
}

/// The same rules, told as a history of numbers: milliseconds, and the calls by their number.
#[derive(Default)]
struct Told {
    in_a_row: u32,
    /// When one may try, after which wait.
    open: Option<(u64, u64)>,
    trying: Option<usize>,
}

impl Told {
    fn may_enter(&self, now: u64) -> bool {
        self.trying.is_none() && self.open.is_none_or(|(until, _)| now >= until)
    }

    fn fail(&mut self, call: usize, failures: u32, now: u64) {
        match self.open {
            Some((_, wait)) if self.trying == Some(call) => {
                let wait = (wait * 2).min(60_000);
                (self.open, self.trying) = (Some((now + wait, wait)), None);
            }
            Some(_) => {}
            None => {
                self.in_a_row += 1;
                self.open = (self.in_a_row >= failures).then_some((now + 5_000, 5_000));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_history_of_calls_opens_tries_and_closes_as_told(
        // Against the upstream, and against the model.
        of_model in any::<bool>(),
        failures in 1..6_u32,
        events in prop::collection::vec(event(), 0..120),
    ) {
        let error = if of_model { Error::new(ErrorKind::Overloaded, "full").with_status(503) } else { down() };
        let mut circuits = Circuits::new(Rules { failures, ..RULES });
        let (mut told, mut now, mut calls) = (Told::default(), 0, 0);
        let mut under_way: Vec<(usize, Pass)> = Vec::new();
        for event in events {
            let at = Duration::from_millis(now);
            let index = match &event {
                Event::Succeed(index) | Event::Fail(index) | Event::Leave(index) => Some(index),
                Event::Pass(_) | Event::Enter => None,
            };
            let ends = index.filter(|_| !under_way.is_empty());
            let ended = ends.map(|index| under_way.remove(index.index(under_way.len())));
            match (event, ended) {
                (Event::Pass(time), _) => now += time,
                (Event::Enter, _) => {
                    let entered = circuits.enter("m", at);
                    prop_assert_eq!(entered.is_ok(), told.may_enter(now), "{:?}", entered);
                    if let Ok(pass) = entered {
                        told.trying = told.open.map(|_| calls);
                        under_way.push((calls, pass));
                        calls += 1;
                    }
                }
                (Event::Succeed(_), Some((_, pass))) => {
                    let closed = circuits.end(pass, "m", None, at);
                    prop_assert_eq!(closed == Some(Change::Closed), told.open.is_some());
                    told = Told::default();
                }
                (Event::Fail(_), Some((call, pass))) => {
                    circuits.end(pass, "m", Some(&error), at);
                    told.fail(call, failures, now);
                }
                (Event::Leave(_), Some((call, pass))) => {
                    circuits.leave(pass, "m", at);
                    if told.trying == Some(call) {
                        told.trying = None;
                        told.open = told.open.map(|(_, wait)| (now, wait));
                    }
                }
                (_, None) => {}
            }
        }
    }
}
