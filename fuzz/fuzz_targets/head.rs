//! A request head of HTTP/1: what the gate takes, hyper's parser takes too, and both read the same
//! method, target and framing.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The gate shows this to nobody, so its file is taken as it is.
#[expect(dead_code, reason = "the gate uses all of it, the fuzzer a part")]
#[path = "../../crates/app/gate/src/http1/head.rs"]
mod head;

use head::{BadHead, Framing, MAX_HEADERS, Scan};

fuzz_target!(|bytes: &[u8]| {
    let whole = Scan::default().find_end(bytes);
    let mut pieces = Scan::default();
    let in_pieces =
        (0..=bytes.len()).map(|end| pieces.find_end(&bytes[..end])).find(|step| *step != Ok(None));
    assert_eq!(in_pieces.unwrap_or(Ok(None)), whole, "however the bytes come");
    let Ok(Some(end)) = whole else { return };
    let text = &bytes[..end];
    assert!(text.ends_with(b"\r\n\r\n"));
    let parsed = match head::parse(text) {
        Ok(parsed) => parsed,
        Err(BadHead::TooLong | BadHead::FramedDifferently | BadHead::BareLineFeed) => {
            panic!("not the parser's to say")
        }
        Err(_) => return,
    };

    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(text) {
        Ok(status) => assert_eq!(status, httparse::Status::Complete(end)),
        Err(_) => return, // hyper refuses it then
    }
    assert_eq!(request.method.map(str::len), Some(parsed.method_len));
    assert_eq!(request.path.map(str::len), Some(parsed.target_len));
    let of = |name: &str| {
        let found = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.trim_ascii()).collect::<Vec<_>>()
    };
    match (parsed.framing, of("content-length").as_slice(), of("transfer-encoding").as_slice()) {
        (Framing::Empty, [] | [[b'0', ..]], []) => {}
        (Framing::Length(length), [digits], []) => {
            assert_eq!(str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()), Some(length));
        }
        (Framing::Chunked, [], [chunked]) => assert!(chunked.eq_ignore_ascii_case(b"chunked")),
        differently => panic!("{differently:?}"),
    }
    if parsed.upgrade {
        assert!(
            parsed.framing == Framing::Empty && !of("upgrade").is_empty() && !of("connection").is_empty()
        );
    }
});
