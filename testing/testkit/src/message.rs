//! An HTTP/1.1 message, read byte by byte and kept as it came.

use std::io::{self, BufRead, Read};

/// A head and a body as they stood on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The request or status line, without its line end. Bytes that are no UTF-8 are replaced.
    pub line: String,
    /// Names and values in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Message {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every header of this name.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Reads a head; `None` at a clean end.
    pub(crate) fn read_head(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(line) = read_line(from)? else { return Ok(None) };
        let mut message = Self { line, ..Self::default() };
        loop {
            let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some(message));
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            message.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Reads the body that the head announces. `until_end` for an answer without a length.
    pub(crate) fn read_body(&mut self, from: &mut impl BufRead, until_end: bool) -> io::Result<()> {
        if self.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let size = size.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                from.take(size).read_to_end(&mut self.body)?;
                if size == 0 {
                    while read_line(from)?.is_some_and(|trailer| !trailer.is_empty()) {}
                    return Ok(());
                }
                read_line(from)?;
            }
        } else if let Some(length) = self.header("content-length") {
            let length: u64 = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            from.take(length).read_to_end(&mut self.body)?;
        } else if until_end {
            // Servers end a TLS stream without a farewell at times; what came is what there is.
            match from.read_to_end(&mut self.body) {
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// One line without its end; `None` at a clean end of the stream.
fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    match from.read_until(b'\n', &mut line) {
        Ok(0) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && line.is_empty() => return Ok(None),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}
