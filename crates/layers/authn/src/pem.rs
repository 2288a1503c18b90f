//! PEM as Go's `encoding/pem` reads it: blocks that do not hold are skipped, and so is all text
//! around them.

use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};

/// `base64.StdEncoding` of Go: padding is needed, and the unused bits of the last character may be
/// set.
const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

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

/// All blocks of `input`, in order, in one pass.
// UPSTREAM: a block begins at the last `BEGIN` line before an `END` line (kube-apiserver 1.36)
pub fn blocks(input: &[u8]) -> Vec<Block<'_>> {
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end).collect();
    let mut blocks = Vec::new();
    let mut opened = None;
    for (end, line) in lines.iter().enumerate() {
        if let Some(label) = boundary(line, b"-----BEGIN ") {
            opened = Some((end + 1, label));
        } else if line.starts_with(b"-----END ")
            && let Some((begin, label)) = opened.take()
            && boundary(line, b"-----END ") == Some(label)
        {
            blocks.extend(lines.get(begin..end).and_then(|contents| block(label, begin, contents)));
        }
    }
    blocks
}

/// The block of these lines, if they hold base64 behind their headers.
fn block<'a>(label: &'a [u8], line: usize, contents: &[&[u8]]) -> Option<Block<'a>> {
    let headers = contents.iter().take_while(|line| line.contains(&b':')).count();
    let data = contents.iter().skip(headers).flat_map(|line| line.iter().copied());
    let data = STANDARD.decode(data.filter(|byte| !b" \t".contains(byte)).collect::<Vec<_>>()).ok()?;
    Some(Block { label, has_headers: headers > 0, line, data })
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
        check("-----BEGIN A-----\nYWJ=\n-----END A-----\n", &[("A", false, 1, "ab")]);
        check("-----BEGIN A-----\nYWI\n-----END A-----\n", &[]);
        check("-----BEGIN A-----\nYWJj\n-----END B-----\n", &[]);
        check("-----BEGIN A-----\nYWJj\n-----END B-----\nYWJj\n-----END A-----\n", &[]);
        check("-----BEGIN A-----\nYWJj\n", &[]);
        check(" -----BEGIN A-----\nYWJj\n-----END A-----\n", &[]);
        check(
            "-----BEGIN A-----\n!\n-----END A-----\n-----BEGIN B-----\nYWJj\n-----END B-----\n",
            &[("B", false, 4, "abc")],
        );
        check("-----BEGIN A-----\n-----BEGIN B-----\nYWJj\n-----END B-----\n", &[("B", false, 2, "abc")]);
    }
    /// A file may be long and odd: the time must not grow with its square.
    #[test]
    fn many_openings_cost_one_pass() {
        let input = format!("{}-----END A-----\n", "-----BEGIN A-----\nYWJj\n".repeat(100_000));
        let lines: Vec<usize> = blocks(input.as_bytes()).iter().map(|block| block.line).collect();
        assert_eq!(lines, [199_999]);
    }
}
