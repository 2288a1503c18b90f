//! The line discipline of a terminal: what a kernel does between a keyboard and a program.

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, watch};

use super::{known, pipe::Output};

/// How many columns and rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Size {
    #[serde(rename = "Width", default)]
    pub(crate) columns: u16,
    #[serde(rename = "Height", default)]
    pub(crate) rows: u16,
}

/// A line longer than this is taken as it stands.
const LINE: usize = 4096;
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const ERASE_LINE: u8 = 21;

/// Takes what is typed, echoes it, and hands on whole lines. Ends when the keyboard does, or at
/// Ctrl-D in an empty line; Ctrl-C is told by `interrupted`.
///
/// Whoever attaches to a program types and tells the size at the same time: the size goes first.
pub(crate) async fn cook(
    mut typed: mpsc::Receiver<Bytes>,
    size: &mut watch::Receiver<Size>,
    lines: mpsc::Sender<Bytes>,
    echo: Output,
    interrupted: watch::Sender<u64>,
) {
    let mut line = BytesMut::new();
    let mut is_first = true;
    while let Some(keys) = typed.recv().await {
        if std::mem::take(&mut is_first) {
            known(size).await;
        }
        let mut shown = Vec::new();
        for key in keys {
            match key {
                b'\r' | b'\n' => {
                    shown.extend_from_slice(b"\r\n");
                    line.extend_from_slice(b"\n");
                }
                0x08 | 0x7f => {
                    if line.split_off(line.len().saturating_sub(1)).is_empty() {
                        continue;
                    }
                    shown.extend_from_slice(b"\x08 \x08");
                }
                ERASE_LINE => {
                    shown.extend(std::iter::repeat_n(*b"\x08 \x08", line.len()).flatten());
                    line.clear();
                }
                INTERRUPT => {
                    shown.extend_from_slice(b"^C\r\n");
                    line.clear();
                    interrupted.send_modify(|count| *count += 1);
                }
                END if line.is_empty() => return,
                END => {}
                key => {
                    shown.push(key);
                    line.extend_from_slice(&[key]);
                }
            }
            let is_whole = matches!(key, b'\r' | b'\n' | END) || line.len() >= LINE;
            if is_whole && lines.send(line.split().freeze()).await.is_err() {
                return;
            }
        }
        if echo.write(shown).await.is_err() {
            return;
        }
    }
}

/// What a program wrote, as a terminal shows it.
pub(crate) fn shown(bytes: &Bytes) -> Bytes {
    if !bytes.contains(&b'\n') {
        return bytes.clone();
    }
    let mut shown = BytesMut::with_capacity(bytes.len() + 16);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                shown.extend_from_slice(line);
                shown.extend_from_slice(b"\r\n");
            }
            None => shown.extend_from_slice(line),
        }
    }
    shown.freeze()
}
