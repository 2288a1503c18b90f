//! Asking a gate on this machine about itself.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// The body of `path` on a gate's admin address, asked for with `headers`, each with its line end; or
/// why there is none, in the gate's words where it has any.
pub(super) fn fetch(address: SocketAddr, path: &str, headers: &str) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n")
        .map_err(text)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(text)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        Some((head, body)) => {
            let status = head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ");
            Err(format!("{status}: {}", body.trim_end()))
        }
        None => Err("no HTTP answer".to_owned()),
    }
}
