//! PEM: blocks stand in their order at the lines they are said to begin in, and survive being
//! written and read again.
#![no_main]

use authn::{ServiceAccountKeys, pem};
use base64::{Engine, prelude::BASE64_STANDARD};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let mut last = 0;
    for block in pem::blocks(text) {
        assert!(block.line > last, "blocks stand in their order");
        last = block.line;
        let first = lines.get(block.line - 1).expect("the line is there");
        assert!(first.starts_with(b"-----BEGIN "));
        let label = String::from_utf8_lossy(block.label);
        assert!(String::from_utf8_lossy(first).contains(&*label));

        let headers = if block.has_headers { "Key: value\n\n" } else { "" };
        let data = BASE64_STANDARD.encode(&block.data);
        let written = [
            b"-----BEGIN ",
            block.label,
            b"-----\n",
            headers.as_bytes(),
            data.as_bytes(),
            b"\n-----END ",
            block.label,
            b"-----\n",
        ]
        .concat();
        let again = pem::blocks(&written);
        let [only] = again.as_slice() else { panic!("{} blocks in {label}", again.len()) };
        assert_eq!((only.label, &only.data), (block.label, &block.data));
        assert_eq!((only.has_headers, only.line), (block.has_headers, 1));
    }
    let mut keys = ServiceAccountKeys::default();
    assert_eq!(keys.add_pem(text).is_ok(), keys.ids().next().is_some());
});
