//! Frames: eight bytes that say what follows.

use super::Malformed;

/// Nothing follows on the stream.
pub(super) const FIN: u8 = 1;

pub(super) const SYN_STREAM: u16 = 1;
pub(super) const SYN_REPLY: u16 = 2;
pub(super) const RST_STREAM: u16 = 3;
pub(super) const PING: u16 = 6;
pub(super) const GOAWAY: u16 = 7;
pub(super) const HEADERS: u16 = 8;

const VERSION: u16 = 3;
const CONTROL: u16 = 0x8000;
/// Of the 32 bits of a stream's number, the first is not used.
const NUMBER: u32 = 0x7fff_ffff;

/// How a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Control { kind: u16, flags: u8, length: usize },
    Data { stream: u32, flags: u8, length: usize },
}

impl Head {
    pub(super) fn read(bytes: [u8; 8]) -> Result<Self, Malformed> {
        let [a, b, c, d, flags, e, f, g] = bytes;
        let length = usize::from(e) << 16 | usize::from(f) << 8 | usize::from(g);
        let first = u16::from_be_bytes([a, b]);
        if first & CONTROL == 0 {
            return Ok(Self::Data { stream: u32::from_be_bytes([a, b, c, d]), flags, length });
        }
        if first & !CONTROL != VERSION {
            return Err(Malformed("a frame of another version"));
        }
        Ok(Self::Control { kind: u16::from_be_bytes([c, d]), flags, length })
    }

    fn write(self) -> [u8; 8] {
        let ([a, b, c, d], flags, length) = match self {
            Self::Control { kind, flags, length } => {
                let [a, b] = (CONTROL | VERSION).to_be_bytes();
                let [c, d] = kind.to_be_bytes();
                ([a, b, c, d], flags, length)
            }
            Self::Data { stream, flags, length } => ((stream & NUMBER).to_be_bytes(), flags, length),
        };
        // Pieces of output are far below 16 MiB.
        let [.., e, f, g] = length.to_be_bytes();
        [a, b, c, d, flags, e, f, g]
    }
}

/// The number at the start of a control frame, and what follows it.
pub(super) fn number(payload: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let (number, rest) = payload.split_first_chunk::<4>().ok_or(Malformed("a frame that is cut off"))?;
    Ok((u32::from_be_bytes(*number) & NUMBER, rest))
}

pub(super) fn data(stream: u32, flags: u8, length: usize) -> [u8; 8] {
    Head::Data { stream, flags, length }.write()
}

pub(super) fn control(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Head::Control { kind, flags: 0, length: payload.len() }.write().to_vec();
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_written() {
        for head in [
            Head::Data { stream: 5, flags: FIN, length: 0x01_02_03 },
            Head::Data { stream: NUMBER, flags: 0, length: 0 },
            Head::Control { kind: PING, flags: 0, length: 4 },
        ] {
            assert_eq!(Head::read(head.write()), Ok(head));
        }
        // A SYN_STREAM as moby/spdystream sends it.
        let syn = Head::Control { kind: SYN_STREAM, flags: 0, length: 42 };
        assert_eq!(Head::read([0x80, 3, 0, 1, 0, 0, 0, 42]), Ok(syn));
        assert!(Head::read([0x80, 2, 0, 1, 0, 0, 0, 42]).is_err());
        assert_eq!(number(&[0x80, 0, 0, 7, 9]), Ok((7, &[9][..])));
        assert!(number(&[0, 0, 1]).is_err());
    }
}
