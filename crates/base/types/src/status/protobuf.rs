//! A Status as Kubernetes' protobuf: the magic `k8s\0`, then a `runtime.Unknown` around the message.
//! Six kinds of field need no library.

use super::{Cause, Status, StatusDetails};

const MAGIC: &[u8] = b"k8s\0";

pub(super) fn encode(status: &Status) -> Vec<u8> {
    let mut type_meta = Vec::new();
    text(&mut type_meta, 1, "v1");
    text(&mut type_meta, 2, "Status");
    let mut unknown = Vec::new();
    bytes(&mut unknown, 1, &type_meta);
    bytes(&mut unknown, 2, &message(status));
    text(&mut unknown, 3, "");
    text(&mut unknown, 4, "");
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&unknown);
    out
}

/// `k8s.io.apimachinery.pkg.apis.meta.v1.Status`
fn message(status: &Status) -> Vec<u8> {
    let mut list_meta = Vec::new();
    text(&mut list_meta, 1, "");
    text(&mut list_meta, 2, "");
    text(&mut list_meta, 3, "");
    let mut out = Vec::new();
    bytes(&mut out, 1, &list_meta);
    text(&mut out, 2, status.outcome());
    text(&mut out, 3, &status.message);
    text(&mut out, 4, status.reason.as_str());
    if let Some(about) = &status.details {
        bytes(&mut out, 5, &details(about));
    }
    number(&mut out, 6, u64::from(status.code));
    out
}

fn details(about: &StatusDetails) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, 1, &about.name);
    text(&mut out, 2, &about.group);
    text(&mut out, 3, &about.kind);
    for Cause { reason, message, field } in &about.causes {
        let mut cause = Vec::new();
        text(&mut cause, 1, reason);
        text(&mut cause, 2, message);
        text(&mut cause, 3, field);
        bytes(&mut out, 4, &cause);
    }
    number(&mut out, 5, u64::from(about.retry_after_seconds));
    text(&mut out, 6, &about.uid);
    out
}

fn text(out: &mut Vec<u8>, field: u64, value: &str) {
    bytes(out, field, value.as_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while let low @ 0x80.. = value {
        out.push((low & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use crate::Status;

    #[test]
    fn lengths_and_magic() {
        let body = Status::unauthorized().to_protobuf();
        assert!(body.starts_with(b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12"));
        assert!(body.windows(12).any(|window| window == b"Unauthorized"));
        // code 401 = 0x91 0x03 as a varint, the last field of the message
        assert!(body.windows(3).any(|window| window == [0x30, 0x91, 0x03]));
    }
}
