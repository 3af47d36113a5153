//! Who says what the fake upstream does: a script, or a provider of its own mind.

use super::client::{Answer, connect};
use super::fake::{Asked, Provider, Refusal};
use super::upstream::{Exchange, Request, Step, Upstream, send};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Who says what is done.
pub enum Plan {
    Script(Mutex<VecDeque<Exchange>>),
    Provider(Box<dyn Provider>),
    /// A provider whose refusals are faults.
    Strict(Box<dyn Provider>),
}

impl Plan {
    pub fn script(exchanges: Vec<Exchange>) -> Self {
        Self::Script(Mutex::new(exchanges.into()))
    }

    /// What of a script was not asked for.
    pub fn left(&self) -> Vec<Exchange> {
        match self {
            Self::Script(script) => script.lock().unwrap().iter().cloned().collect(),
            Self::Provider(_) | Self::Strict(_) => Vec::new(),
        }
    }

    /// What is done about a request that comes in beside so many others.
    pub fn steps(&self, request: &Request, others: usize, faults: &Mutex<Vec<String>>) -> Vec<Step> {
        let line = request.head.line.trim_end_matches(" HTTP/1.1");
        let (provider, strict) = match self {
            Self::Script(script) => return scripted(script, line, faults),
            Self::Provider(provider) => (provider, false),
            Self::Strict(provider) => (provider, true),
        };
        match provider.answer(&Asked { line, request, others }) {
            Ok(exchange) => exchange.steps,
            Err(refusal) => {
                if strict || refusal.is_fault {
                    let fault = format!("{}: {}", refusal.reason, String::from_utf8_lossy(&request.body));
                    faults.lock().unwrap().push(fault);
                }
                refusal.exchange.steps
            }
        }
    }
}

fn scripted(script: &Mutex<VecDeque<Exchange>>, line: &str, faults: &Mutex<Vec<String>>) -> Vec<Step> {
    match script.lock().unwrap().pop_front() {
        Some(exchange) if exchange.line == line => exchange.steps,
        other => {
            let fault = format!("asked for `{line}`, but the script has {other:?}");
            faults.lock().unwrap().push(fault);
            vec![send("HTTP/1.1 599 Not in the script\r\ncontent-length: 0\r\n\r\n")]
        }
    }
}

/// How many requests are being answered.
#[derive(Default)]
pub struct Open(AtomicUsize);

/// One of them, until it is dropped.
pub struct Place<'a> {
    open: &'a Open,
    /// How many there were before it.
    pub others: usize,
}

impl Open {
    pub fn enter(&self) -> Place<'_> {
        Place { open: self, others: self.0.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.open.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn only_of_a_strict_provider_are_refusals_faults() {
    struct Unwilling;
    impl Provider for Unwilling {
        fn answer(&self, _: &Asked) -> Result<Exchange, Refusal> {
            Err(Refusal::invalid("that is no request"))
        }
    }
    for (upstream, faults) in
        [(Upstream::provider(Unwilling).await, 0), (Upstream::strict(Unwilling).await, 1)]
    {
        let request = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}";
        let answer = Answer::of(connect(upstream.address(), request).await).await;
        assert_eq!((answer.status, upstream.forgive().len()), (400, faults));
    }
}
