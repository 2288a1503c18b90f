//! Header blocks: names and values, compressed over the whole of a connection.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Malformed;

/// What a block may become when it is decompressed.
const LARGEST: usize = 64 << 10;

/// The words that both sides know before the first block, each with its length in front (SPDY/3.1,
/// section 2.6.10.1).
const WORDS: &[&str] = &[
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
];

/// What follows the words, without lengths.
const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized\
    403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable\
    Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT\
    chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,\
    text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1423);
    for word in WORDS {
        bytes.extend_from_slice(&u32::try_from(word.len()).unwrap_or_default().to_be_bytes());
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes.extend_from_slice(REST.as_bytes());
    bytes
}

/// Names in lower case with their values.
pub(in crate::streams) type Headers = Vec<(String, String)>;

/// Reads the blocks of one direction, in order and all of them: each depends on those before.
pub(super) struct Reader(Decompress);

impl Reader {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    pub(super) fn read(&mut self, block: &[u8]) -> Result<Headers, Malformed> {
        parse(&self.decompress(block)?)
    }

    fn decompress(&mut self, block: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut plain = Vec::with_capacity(1024);
        let start = self.0.total_in();
        loop {
            let read = usize::try_from(self.0.total_in() - start).map_err(|_| Malformed("too long"))?;
            let rest = block.get(read..).unwrap_or_default();
            match self.0.decompress_vec(rest, &mut plain, FlushDecompress::Sync) {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&dictionary()).map_err(|_| Malformed("another dictionary"))?;
                    continue;
                }
                Err(_) => return Err(Malformed("a header block that cannot be decompressed")),
                Ok(Status::StreamEnd) => return Err(Malformed("the end of compression")),
                Ok(Status::Ok | Status::BufError) => {}
            }
            if plain.len() > LARGEST {
                return Err(Malformed("a header block that is too large"));
            }
            // Room is left over only once everything has come out.
            if plain.len() < plain.capacity() {
                return Ok(plain);
            }
            plain.reserve(plain.len());
        }
    }
}

fn parse(mut block: &[u8]) -> Result<Headers, Malformed> {
    let number = |block: &mut &[u8]| -> Result<usize, Malformed> {
        let (number, rest) =
            block.split_first_chunk::<4>().ok_or(Malformed("a header block that is cut off"))?;
        *block = rest;
        usize::try_from(u32::from_be_bytes(*number)).map_err(|_| Malformed("a number that is too large"))
    };
    let count = number(&mut block)?;
    let mut headers = Headers::new();
    for _ in 0..count {
        let mut text = || {
            let length = number(&mut block)?;
            let (text, rest) = block.split_at_checked(length).ok_or(Malformed("a header that is cut off"))?;
            block = rest;
            Ok(String::from_utf8_lossy(text).into_owned())
        };
        headers.push((text()?.to_ascii_lowercase(), text()?));
    }
    Ok(headers)
}

/// Writes the blocks of one direction.
pub(super) struct Writer(Compress);

impl Writer {
    pub(super) fn new() -> Self {
        let mut compress = Compress::new(Compression::fast(), true);
        if let Err(error) = compress.set_dictionary(&dictionary()) {
            tracing::error!(%error, "the SPDY dictionary is not taken");
        }
        Self(compress)
    }

    pub(super) fn write(&mut self, headers: &[(&str, &str)]) -> Result<Vec<u8>, Malformed> {
        let length =
            |length: usize| u32::try_from(length).map(u32::to_be_bytes).map_err(|_| Malformed("too long"));
        let mut plain = length(headers.len())?.to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend_from_slice(&length(text.len())?);
            plain.extend_from_slice(text.as_bytes());
        }
        // Deflate grows what it cannot shrink by very little.
        let mut block = Vec::with_capacity(plain.len() + 128);
        self.0
            .compress_vec(&plain, &mut block, FlushCompress::Sync)
            .map_err(|_| Malformed("a header block that cannot be compressed"))?;
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_one_of_spdy_3() {
        let (mut a, mut b) = (1_u32, 0_u32);
        for byte in dictionary() {
            a = (a + u32::from(byte)) % 65521;
            b = (b + a) % 65521;
        }
        assert_eq!((dictionary().len(), b << 16 | a), (1423, 0xe3c6_a7c2));
    }

    #[test]
    fn block_after_block_is_read() {
        let (mut writer, mut reader) = (Writer::new(), Reader::new());
        for round in 0..50 {
            let value = format!("{round}").repeat(round * 20);
            let sent = [("streamtype", "data"), ("port", "80"), ("requestid", value.as_str())];
            let block = writer.write(&sent).unwrap();
            let found = reader.read(&block).unwrap();
            let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(found, sent);
        }
        assert_eq!(reader.read(&writer.write(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn no_block_breaks_it() {
        for hostile in [&b""[..], b"\x78", b"\x78\xbb\xe3\xc6\xa7\xc2", b"\x78\xbb\0\0\0\0\0\0", &[0xff; 64]]
        {
            assert!(Reader::new().read(hostile).is_err(), "{hostile:?}");
        }
        assert!(parse(&u32::MAX.to_be_bytes()).is_err());
        assert!(parse(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, b'a']).is_err());
        // A bomb: little that becomes much.
        let large = "a".repeat(LARGEST * 2);
        let mut writer = Writer::new();
        let block = writer.write(&[("a", &large)]).unwrap();
        assert!(block.len() < 4096);
        assert_eq!(Reader::new().read(&block).unwrap_err().0, "a header block that is too large");
    }
}
