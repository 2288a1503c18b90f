//! The log as a stream of lines, unpacked if it is packed.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    rc::Rc,
};

use flate2::read::MultiGzDecoder;

use crate::exit::Failure;

/// No event is longer: kube-apiserver takes requests of 3 MiB and answers in as much. A file that is no log
/// may have no line end at all.
const LONGEST: usize = 64 << 20;

/// A file, or standard input.
pub(super) struct Log {
    lines: Box<dyn BufRead>,
    line: Vec<u8>,
    longest: usize,
    read: Rc<Cell<u64>>,
    size: Option<u64>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// It is passed over, for this reason.
    TooLong(String),
    End,
}

impl Log {
    /// `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Self::new(io::stdin(), None);
        }
        let failed = |error| Failure::could_not_run(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(failed)?;
        // A pipe has a size of nothing.
        let size = file.metadata().map_err(failed)?.len();
        Self::new(file, Some(size).filter(|size| *size > 0))
    }

    fn new(raw: impl Read + 'static, size: Option<u64>) -> Result<Self, Failure> {
        let read = Rc::new(Cell::new(0));
        let mut buffered = BufReader::with_capacity(1 << 16, Counted { inner: raw, read: Rc::clone(&read) });
        let packed = buffered.fill_buf().map_err(Failure::could_not_run)?.starts_with(&[0x1f, 0x8b]);
        let lines: Box<dyn BufRead> = match packed {
            true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(buffered))),
            false => Box::new(buffered),
        };
        Ok(Self { lines, line: Vec::new(), longest: LONGEST, read, size })
    }

    /// The next line, with its end.
    pub(super) fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        let limit = u64::try_from(self.longest).unwrap_or(u64::MAX);
        let read = (&mut *self.lines).take(limit).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(Line::End);
        }
        if read == self.longest && self.line.last() != Some(&b'\n') && self.skip_line()? > 0 {
            self.line = Vec::new();
            return Ok(Line::TooLong(format!("longer than {} bytes", self.longest)));
        }
        Ok(Line::Whole(&self.line))
    }

    /// Passes over the rest of a line, and returns how long it is.
    fn skip_line(&mut self) -> io::Result<usize> {
        let mut skipped = 0;
        loop {
            let more = self.lines.fill_buf()?;
            let (length, ends) = match more.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (more.len(), more.is_empty()),
            };
            self.lines.consume(length);
            skipped += length;
            if ends {
                return Ok(skipped);
            }
        }
    }

    /// Bytes of the file read so far.
    pub(super) fn read(&self) -> u64 {
        self.read.get()
    }

    /// Bytes of the file, if it is one.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }
}

struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_does_not_fill_memory() {
        let mut log = Log::new(&b"one\n123456789\n12345678\n\n1234567\nlast"[..], None).unwrap();
        log.longest = 8;
        let too_long = || Line::TooLong("longer than 8 bytes".to_owned());
        assert_eq!(log.next().unwrap(), Line::Whole(b"one\n"));
        assert_eq!(log.next().unwrap(), too_long());
        assert_eq!(log.next().unwrap(), too_long());
        assert_eq!(log.next().unwrap(), Line::Whole(b"\n"));
        assert_eq!(log.next().unwrap(), Line::Whole(b"1234567\n"));
        assert_eq!(log.next().unwrap(), Line::Whole(b"last"));
        assert_eq!(log.next().unwrap(), Line::End);
        assert_eq!(log.read(), 36);
    }

    #[test]
    fn a_packed_log_is_unpacked() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"one\ntwo\n").unwrap();
        let packed = packer.finish().unwrap();
        let mut log = Log::new(io::Cursor::new(packed), None).unwrap();
        assert_eq!(log.next().unwrap(), Line::Whole(b"one\n"));
        assert_eq!(log.next().unwrap(), Line::Whole(b"two\n"));
        assert_eq!(log.next().unwrap(), Line::End);
    }
}
