//! What a gate counts, read from its admin address.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// The samples of one scrape, by name and labels as they stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics(BTreeMap<String, u64>);

impl Metrics {
    /// Scrapes the gate whose admin address is on this port of 127.0.0.1.
    pub fn scrape(port: &str) -> Result<Self, String> {
        let address = format!("127.0.0.1:{port}");
        let mut page = String::new();
        let mut ask = || {
            let mut admin = TcpStream::connect(&address)?;
            write!(admin, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
            admin.read_to_string(&mut page)
        };
        ask().map_err(|e| format!("the metrics of {address}: {e}"))?;
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| line.rsplit_once(' '));
        Ok(Self(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()))
    }

    /// One sample; 0 where there is none.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All samples of a family, added up.
    pub fn sum(&self, family: &str) -> u64 {
        let of_family = |name: &str| {
            name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        self.0.iter().filter(|(name, _)| of_family(name)).map(|(_, value)| value).sum()
    }

    /// What is open or running: nothing of it may be left behind.
    pub fn open(&self) -> Open {
        Open {
            connections: self.sum("portcullis_open_connections"),
            streams: self.sum("portcullis_open_streams"),
            tasks: self.sum("portcullis_tasks"),
        }
    }
}

/// What lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Connections of clients.
    pub connections: u64,
    /// Watches, followed logs and upgraded connections.
    pub streams: u64,
    /// Tasks of the gate's threads.
    pub tasks: u64,
}

/// Asks again and again until `found` is `Some`, for `patience` at most, and says how long it took.
///
/// # Errors
/// What `found` said last.
pub fn until<T>(
    patience: Duration,
    mut found: impl FnMut() -> Result<T, String>,
) -> Result<(T, Duration), String> {
    let began = Instant::now();
    loop {
        match found() {
            Ok(value) => return Ok((value, began.elapsed())),
            Err(error) if began.elapsed() > patience => return Err(format!("after {patience:?}: {error}")),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
