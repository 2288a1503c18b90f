//! What connects a request, its answer and its audit events.

use http::HeaderValue;

/// The client's `Audit-ID`, however long, or a random UUID.
// UPSTREAM: a client's Audit-ID is taken and echoed, at any length (kube-apiserver 1.36)
pub(crate) fn of(header: Option<&HeaderValue>) -> HeaderValue {
    if let Some(given) = header.filter(|given| !given.is_empty()) {
        return given.clone();
    }
    let mut random = [0; 16];
    // Without randomness the ID is the nil UUID: a request is not refused for it.
    let _nil = aws_lc_rs::rand::fill(&mut random);
    let mut text = uuid::Uuid::encode_buffer();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static(""))
}
