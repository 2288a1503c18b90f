//! PEM as Go's `encoding/pem` reads it: blocks that do not hold are skipped, and so is all text
//! around them.

use base64::{Engine, engine::general_purpose::STANDARD};

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What stands after `BEGIN`, such as `CERTIFICATE`.
    pub label: &'a [u8],
    /// Whether `Key: value` lines stand before the data.
    pub has_headers: bool,
    /// The line of the input that begins the block, counted from 1.
    pub line: usize,
    /// The decoded data.
    pub data: Vec<u8>,
}

/// All blocks of `input`, in order.
pub fn blocks(input: &[u8]) -> Vec<Block<'_>> {
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end).collect();
    let mut blocks = Vec::new();
    let mut rest = lines.as_slice();
    let mut line = 0;
    while let Some((first, after)) = rest.split_first() {
        line += 1;
        rest = after;
        let Some(label) = boundary(first, b"-----BEGIN ") else { continue };
        let Some(end) = after.iter().position(|line| line.starts_with(b"-----END ")) else { break };
        let Some((contents, from_end)) = after.split_at_checked(end) else { break };
        let Some((last, after_end)) = from_end.split_first() else { break };
        if boundary(last, b"-----END ") != Some(label) {
            continue;
        }
        let headers = contents.iter().take_while(|line| line.contains(&b':')).count();
        let data = contents.iter().skip(headers).flat_map(|line| line.iter().copied());
        if let Ok(data) = STANDARD.decode(data.filter(|byte| !b" \t".contains(byte)).collect::<Vec<_>>()) {
            blocks.push(Block { label, has_headers: headers > 0, line, data });
            rest = after_end;
            line += end + 1;
        }
    }
    blocks
}

/// The label of a line that opens or closes a block.
fn boundary<'a>(line: &'a [u8], opening: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(opening)?.strip_suffix(b"-----")
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn reads_blocks_as_go_does() {
        let check = |input: &str, expected: &[(&str, bool, usize, &str)]| {
            let blocks = blocks(input.as_bytes());
            let found: Vec<_> = blocks
                .iter()
                .map(|b| {
                    (
                        str::from_utf8(b.label).unwrap(),
                        b.has_headers,
                        b.line,
                        str::from_utf8(&b.data).unwrap(),
                    )
                })
                .collect();
            assert_eq!(found, expected, "{input}");
        };
        check("", &[]);
        check("garbage", &[]);
        check("-----BEGIN A-----\nYWJj\n-----END A-----", &[("A", false, 1, "abc")]);
        check("text\r\n-----BEGIN A-----\r\nYW\r\nJj\r\n-----END A-----\r\n", &[("A", false, 2, "abc")]);
        check("-----BEGIN A-----\nK: v\n\nYWJj\n-----END A-----\n", &[("A", true, 1, "abc")]);
        check("-----BEGIN A-----\nYWJj\n-----END B-----\n", &[]);
        check("-----BEGIN A-----\nYWJj\n", &[]);
        check(" -----BEGIN A-----\nYWJj\n-----END A-----\n", &[]);
        check(
            "-----BEGIN A-----\n!\n-----END A-----\n-----BEGIN B-----\nYWJj\n-----END B-----\n",
            &[("B", false, 4, "abc")],
        );
        check("-----BEGIN A-----\n-----BEGIN B-----\nYWJj\n-----END B-----\n", &[("B", false, 2, "abc")]);
    }
}
