//! The fake upstream: a listed script of what it does for each request, over plain TCP.
//!
//! It writes exactly the bytes it is told to. What it is asked for is recorded; what is asked for
//! without standing in the script, or stands there and is never asked for, fails the test on drop.
//! Instead of a script it may have a provider, which answers by itself.

use super::PATIENCE;
use super::client::{Answer, Head, connect, read_head};
use super::fake::Provider;
use super::plan::{Open, Plan};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a write waits for its reader before the reader counts as one that has stopped reading.
const STUCK: Duration = Duration::from_secs(1);

/// The head of a stream that ends with its connection.
pub const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// Write these bytes.
    Send(Vec<u8>),
    /// Write the same bytes so many times, as far as somebody reads them.
    Flood(Vec<u8>, usize),
    /// Wait for `go`, or for the other side to leave.
    Pause,
    /// Say nothing until the other side leaves.
    Hang,
    /// Close the connection.
    Close,
    /// Close it the rude way.
    Reset,
}

/// Writes text.
pub fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

/// Writes the head of a stream and these bytes of it.
pub fn begin(text: impl AsRef<[u8]>) -> Step {
    Step::Send([STREAM_HEAD.as_bytes(), text.as_ref()].concat())
}

/// One request that is expected, and what is done about it.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub(super) line: &'static str,
    pub(super) steps: Vec<Step>,
}

impl Exchange {
    /// A chat completion, and these steps.
    pub fn steps(steps: impl Into<Vec<Step>>) -> Self {
        Self { line: "POST /v1/chat/completions", steps: steps.into() }
    }

    /// A whole answer.
    pub fn answer(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::answer_with(status, "content-type: application/json\r\n", body)
    }

    /// A whole answer with headers of its own, each ended by CRLF.
    pub fn answer_with(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len();
        let head = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\n\r\n");
        Self::steps([Step::Send([head.as_bytes(), body.as_ref()].concat())])
    }

    /// A stream of these bytes, after which the connection ends.
    pub fn stream(body: impl AsRef<[u8]>) -> Self {
        Self::steps([begin(body), Step::Close])
    }

    /// The same, once `go` was said.
    pub fn late(mut self) -> Self {
        self.steps.insert(0, Step::Pause);
        self
    }

    /// Whether it waits for `go`.
    pub fn pauses(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Pause))
    }

    /// The same for another request line than that of a chat completion.
    pub fn at(mut self, line: &'static str) -> Self {
        self.line = line;
        self
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Request {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

struct Shared {
    plan: Plan,
    open: Open,
    requests: Mutex<Vec<Request>>,
    faults: Mutex<Vec<String>>,
    asked: Semaphore,
    left: Semaphore,
    go: Semaphore,
    stuck: Semaphore,
    written: AtomicU64,
}

/// The fake upstream; dropping it judges what became of its script.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port, and follows a script.
    pub async fn start(script: impl Into<Vec<Exchange>>) -> Self {
        Self::of(Plan::script(script.into())).await
    }

    /// Listens for a provider, which may refuse.
    pub async fn provider(provider: impl Provider) -> Self {
        Self::of(Plan::Provider(Box::new(provider))).await
    }

    /// Listens for a provider; what it refuses fails the test on drop.
    pub async fn strict(provider: impl Provider) -> Self {
        Self::of(Plan::Strict(Box::new(provider))).await
    }

    async fn of(plan: Plan) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let none = || Semaphore::new(0);
        let shared = Arc::new(Shared {
            plan,
            open: Open::default(),
            requests: Mutex::default(),
            faults: Mutex::default(),
            asked: none(),
            left: none(),
            go: none(),
            stuck: none(),
            written: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared, task }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the next pause end.
    pub fn go(&self) {
        self.shared.go.add_permits(1);
    }

    /// Waits until another request has come in whole.
    pub async fn asked(&self) {
        take(&self.shared.asked, "a request").await;
    }

    /// Waits, five seconds at most, until the other side has left a pause, a hang or a flood.
    pub async fn left(&self) {
        let left = timeout(Duration::from_secs(5), self.shared.left.acquire()).await;
        left.expect("the gateway leaves the upstream").unwrap().forget();
    }

    /// Waits until a flood cannot write on, and returns how many bytes it has written by then.
    pub async fn stuck(&self) -> u64 {
        take(&self.shared.stuck, "a flood that stops").await;
        self.shared.written.load(Ordering::SeqCst)
    }

    /// How many bytes floods have written.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// All that was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The faults so far, which are forgiven by this.
    pub fn forgive(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.faults.lock().unwrap())
    }

    /// The only request so far.
    pub fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "requests: {requests:?}");
        requests[0].clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
        if std::thread::panicking() {
            return;
        }
        let faults = self.shared.faults.lock().unwrap();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        let left = self.shared.plan.left();
        assert!(left.is_empty(), "never asked for: {left:?}");
    }
}

async fn take(semaphore: &Semaphore, what: &str) {
    let permit = timeout(PATIENCE, semaphore.acquire()).await;
    permit.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}")).unwrap().forget();
}

/// Answers the requests of one connection.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        let place = shared.open.enter();
        let steps = shared.plan.steps(&request, place.others, &shared.faults);
        shared.requests.lock().unwrap().push(request);
        shared.asked.add_permits(1);
        let last_bytes = steps.iter().rposition(|step| matches!(step, Step::Send(_)));
        let mut place = Some(place);
        for (at, step) in steps.into_iter().enumerate() {
            if Some(at) == last_bytes {
                // Who reads them may ask again before this task goes on.
                place = None;
            }
            if !act(step, &mut stream, &shared).await {
                return;
            }
        }
        drop(place);
    }
}

/// Does one thing; false where the connection is over.
async fn act(step: Step, stream: &mut TcpStream, shared: &Shared) -> bool {
    let goes_on = match step {
        Step::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
        Step::Flood(bytes, times) => flood(&bytes, times, stream, shared).await,
        Step::Pause => {
            let mut byte = [0];
            tokio::select! {
                permit = shared.go.acquire() => {
                    permit.unwrap().forget();
                    true
                }
                _ = stream.read(&mut byte) => false,
            }
        }
        Step::Hang => {
            let _ = stream.read(&mut [0]).await;
            false
        }
        Step::Close => {
            let _ = stream.shutdown().await;
            return false;
        }
        Step::Reset => {
            let _ = stream.set_zero_linger();
            return false;
        }
    };
    if !goes_on {
        shared.left.add_permits(1);
    }
    goes_on
}

async fn flood(bytes: &[u8], times: usize, stream: &mut TcpStream, shared: &Shared) -> bool {
    for _ in 0..times {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = match timeout(STUCK, stream.write(rest)).await {
                Ok(Ok(written)) => written,
                Ok(Err(_)) => return false,
                Err(_) => {
                    shared.stuck.add_permits(1);
                    let mut byte = [0];
                    tokio::select! {
                        writable = stream.writable() => {
                            if writable.is_err() { return false }
                            0
                        }
                        _ = stream.peek(&mut byte) => return false,
                    }
                }
            };
            shared.written.fetch_add(written as u64, Ordering::SeqCst);
            rest = &rest[written..];
        }
    }
    true
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let head = read_head(stream, buffer).await?;
    let length = head.get("content-length").map_or(0, |length| length.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer.drain(..length).collect();
    Some(Request { head, body })
}

#[tokio::test]
async fn a_script_that_is_not_followed_fails_the_test() {
    let judged = |upstream: Upstream| {
        let drop = std::panic::AssertUnwindSafe(|| drop(upstream));
        std::panic::catch_unwind(drop).err().map(|panic| *panic.downcast::<String>().unwrap())
    };
    let never_asked = Upstream::start([Exchange::answer(200, "{}")]).await;
    assert!(judged(never_asked).unwrap().starts_with("never asked for"));

    let asked = Upstream::start([]).await;
    let request = b"POST /v1/other HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}";
    let answer = Answer::of(connect(asked.address, request).await).await;
    assert_eq!((answer.status, asked.request().text().as_str()), (599, "{}"));
    assert!(judged(asked).unwrap().starts_with("asked for `POST /v1/other`"));
}
