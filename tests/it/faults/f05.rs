//! F-5: the upstream refuses for a while: 429 with every sort of `Retry-After`, 503 twice, 529.

use crate::program::{WAYS, good};
use crate::support::program::{Program, serve};
use crate::support::upstream::{Exchange, Upstream};
use std::time::{Duration, Instant, SystemTime};

fn refused(status: u16, retry_after: &str) -> Exchange {
    let header =
        if retry_after.is_empty() { String::new() } else { format!("retry-after: {retry_after}\r\n") };
    Exchange::answer_with(status, &header, r#"{"error":{"message":"later"}}"#)
}

async fn retrying(upstream: &Upstream) -> Program {
    let setup =
        serve(upstream).env("IFLOW2API_RETRY_RETRIES", "3").env("IFLOW2API_RETRY_DELAYS", "10ms,20ms,30ms");
    setup.env("IFLOW2API_RETRY_BUDGET", "1000").env("IFLOW2API_CIRCUIT_FAILURES", "0").start().await
}

#[tokio::test]
async fn f_5_what_passes_in_time_is_waited_for_and_never_asked_more_than_three_times_again() {
    let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    for (failures, least) in [
        (vec![refused(429, "1")], 1000),
        (vec![refused(429, "Mon, 23 Nov 2020 01:00:00 GMT")], 9),
        (vec![refused(429, "soon")], 9),
        (vec![refused(429, "-5")], 9),
        (vec![refused(429, &soon)], 9),
        (vec![refused(503, ""), refused(503, "")], 9 + 18),
        (vec![refused(529, "")], 9),
        (vec![refused(529, ""), refused(503, ""), refused(429, "0")], 9 + 18 + 27),
    ] {
        for (path, body, stream) in WAYS {
            let script: Vec<Exchange> = failures.iter().cloned().chain([good(stream)]).collect();
            let upstream = Upstream::start(script).await;
            let mut program = retrying(&upstream).await;
            let begun = Instant::now();
            let mut answer = program.post(path, body).await;
            let text = answer.text().await;
            assert_eq!(answer.status, 200, "{path}: {text}");
            assert!(begun.elapsed() >= Duration::from_millis(least), "{:?} of {least}", begun.elapsed());
            assert_eq!(upstream.requests().len(), failures.len() + 1);
            program.line(&["asking again", "later"]).await;
            program.line(&["call", &format!("retries={}", failures.len()), "status=200"]).await;
            assert!(!program.said().contains("panicked"));
        }
    }
}

#[tokio::test]
async fn f_5_what_takes_too_long_is_the_caller_s_to_wait_for() {
    let far = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    for (wait, told) in [("1000000000", Some("1000000000")), ("31", Some("31")), (far.as_str(), None)] {
        for (path, body, stream) in WAYS {
            let upstream = Upstream::start([refused(429, wait), good(stream)]).await;
            let mut program = retrying(&upstream).await;
            let answer = program.post(path, body).await;
            assert_eq!(
                (answer.status, answer.header("x-iflow2api-error")),
                (429, Some("upstream")),
                "{path}"
            );
            let said = answer.header("retry-after").expect("the wait is passed on");
            match told {
                Some(told) => assert_eq!(said, told),
                None => assert!((3500..=3600).contains(&said.parse::<u64>().unwrap()), "{said}"),
            }
            assert_eq!(upstream.requests().len(), 1);
            program.line(&["call", "failure=\"RateLimited\"", "status=429"]).await;
            assert_eq!(program.post(path, body).await.status, 200, "the next request succeeds");
        }
    }
}

#[tokio::test]
async fn f_5_the_fourth_refusal_is_the_answer() {
    for (path, body, stream) in WAYS {
        let script: Vec<Exchange> = (0..4).map(|_| refused(529, "0")).chain([good(stream)]).collect();
        let upstream = Upstream::start(script).await;
        let program = retrying(&upstream).await;
        let answer = program.post(path, body).await;
        assert_eq!((answer.status, answer.header("retry-after")), (529, Some("0")), "{path}");
        assert_eq!(upstream.requests().len(), 4);
        assert_eq!(program.post(path, body).await.status, 200, "the next request succeeds");
    }
}
