//! Who has taken a port.

use listeners::Protocol;

/// The program that listens on a port, where the system tells: `nginx (process 1234)`.
pub fn holder(port: u16) -> Option<String> {
    let process = listeners::get_process_by_port(port, Protocol::TCP).ok()?;
    Some(format!("{} (process {})", process.name, process.pid))
}
