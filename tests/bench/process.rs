//! The processes that are measured: started, watched through `/proc`, and ended with their owner.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to answer at all.
const START: Duration = Duration::from_secs(20);

/// A process that listens; it is ended when this is dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// Where settings would be looked for, so that none of this machine's are found.
    _home: tempfile::TempDir,
}

/// The CPU time of a process by thread, in seconds.
pub struct Spent(HashMap<String, f64>);

impl Process {
    /// The mock upstream.
    pub fn mock() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--role-mock");
        Self::start(command)
    }

    /// The minimal proxy before `upstream`.
    pub fn floor(upstream: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--role-floor", &upstream.to_string()]);
        Self::start(command)
    }

    /// The program before `upstream`.
    pub fn ours(upstream: SocketAddr) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iflow2api"));
        command.args(["serve", "--upstream", &format!("http://{upstream}/v1")]);
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let home = tempfile::tempdir().unwrap();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().to_ascii_uppercase().starts_with("IFLOW2API") {
                command.env_remove(name);
            }
        }
        command.args(["--port", &port.to_string()]);
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env(name, home.path());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), _home: home }
    }

    /// Waits until somebody listens.
    pub fn wait(self) -> Self {
        let deadline = Instant::now() + START;
        while std::net::TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < deadline, "nothing listens on {}", self.address);
            std::thread::sleep(Duration::from_millis(2));
        }
        self
    }

    /// The memory in use now, in MB.
    pub fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// The most memory ever in use, in MB.
    pub fn peak(&self) -> f64 {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
    }

    /// The CPU time that was spent so far. By thread in nanoseconds, because `/proc/PID/stat` counts in
    /// steps of 10 ms.
    pub fn spent(&self) -> Spent {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let threads = tasks.flatten().filter_map(|task| {
            let schedule = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanoseconds: f64 = schedule.split(' ').next()?.parse().ok()?;
            Some((task.file_name().to_string_lossy().into_owned(), nanoseconds / 1e9))
        });
        Spent(threads.collect())
    }

    /// The seconds of CPU time since `before`. A thread that ended meanwhile is not counted, which the
    /// parts avoid by being shorter than an idle thread's life of 10 s.
    pub fn since(&self, before: &Spent) -> f64 {
        let now = self.spent();
        now.0.iter().map(|(thread, spent)| spent - before.0.get(thread).unwrap_or(&0.0)).sum()
    }
}

/// The mock, and both proxies before it.
pub struct Trio {
    pub floor: Process,
    pub ours: Process,
    _mock: Process,
}

impl Trio {
    /// Starts all three.
    pub fn start() -> Self {
        let mock = Process::mock().wait();
        let (floor, ours) = (Process::floor(mock.address).wait(), Process::ours(mock.address).wait());
        Self { floor, ours, _mock: mock }
    }

    /// Takes one figure of both, back to back.
    pub fn each<T>(&self, mut measure: impl FnMut(&Process) -> T) -> (T, T) {
        (measure(&self.floor), measure(&self.ours))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Listens where a role is told to, with room for a thousand clients that come at once.
pub fn listen() -> tokio::net::TcpListener {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--port");
    let port: u16 = arguments.nth(1).and_then(|port| port.parse().ok()).expect("a port");
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    socket.listen(4096).unwrap()
}

/// The CPU seconds of this thread, brought up to date by giving way once.
pub fn own_thread() -> f64 {
    std::thread::yield_now();
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedule.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}
