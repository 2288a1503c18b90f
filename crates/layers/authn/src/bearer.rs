//! Bearer tokens in headers: `Authorization`, and the WebSocket subprotocol that browsers use
//! because they cannot set headers.

use std::{str, sync::Arc};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderValue, header};
use types::Step;

use crate::{AuthnFailure, Consumed, Remarks, TokenAnswer, TokenUser, Unauthorized};

/// `base64.RawURLEncoding` of Go: no padding, and the unused bits of the last character may be set.
pub(crate) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

const PROTOCOL_PREFIX: &[u8] = b"base64url.bearer.authorization.k8s.io.";
const EXTRA_SPACE: &str =
    "the provided Authorization header contains extra space before the bearer token, and is ignored";
pub(crate) const INVALID_TOKEN: &str = "invalid bearer token";

/// Tries the tokens that `headers` show, each with `judge`: first the one of the first
/// `Authorization` header, then, of a WebSocket request, the one among the subprotocols. The first
/// that is accepted wins; what is to be said of the others is added to `refused`.
// UPSTREAM: a bad token in one place does not spoil a good one in the other (kube-apiserver 1.36)
pub fn authenticate(
    headers: &HeaderMap,
    refused: &mut Unauthorized,
    mut judge: impl FnMut(&str) -> Step<TokenAnswer>,
) -> Step<Option<(Arc<TokenUser>, Consumed)>> {
    if let Some(token) = authorization_token(headers, &mut refused.remarks) {
        match attempt(token, refused, &mut judge) {
            Step::Ask(question) => return Step::Ask(question),
            Step::Done(Some(user)) => return Step::Done(Some((user, Consumed::Authorization))),
            Step::Done(None) => {}
        }
    }
    match protocol_token(headers) {
        Ok(None) => Step::Done(None),
        Ok(Some((token, rest))) => match attempt(&token, refused, &mut judge) {
            Step::Ask(question) => Step::Ask(question),
            Step::Done(user) => Step::Done(user.map(|user| (user, Consumed::WebSocketProtocol(rest)))),
        },
        Err(failure) => {
            refused.failures.push(failure);
            Step::Done(None)
        }
    }
}

/// Tries one token.
fn attempt(
    token: &[u8],
    refused: &mut Unauthorized,
    mut judge: impl FnMut(&str) -> Step<TokenAnswer>,
) -> Step<Option<Arc<TokenUser>>> {
    // No token that anybody could accept is anything but UTF-8.
    match str::from_utf8(token).map_or(Step::Done(TokenAnswer::NoOpinion), &mut judge) {
        Step::Ask(question) => return Step::Ask(question),
        Step::Done(TokenAnswer::Accepted(user)) => return Step::Done(Some(user)),
        Step::Done(TokenAnswer::NoOpinion) => refused.failures.push(AuthnFailure::bad(INVALID_TOKEN)),
        Step::Done(TokenAnswer::Refused(reasons, said)) => {
            refused.failures.extend(reasons);
            refused.remarks.append(&said);
        }
    }
    Step::Done(None)
}

/// The token of the first `Authorization` header. What follows a second space is not part of it.
fn authorization_token<'h>(headers: &'h HeaderMap, remarks: &mut Remarks) -> Option<&'h [u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let mut parts = trim(value).split(|byte| *byte == b' ');
    if !parts.next()?.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    let token = parts.next()?;
    if token.is_empty() {
        // Trimmed of spaces at its end, so something must follow: two spaces after `Bearer`.
        remarks.warn(EXTRA_SPACE);
        return None;
    }
    Some(token)
}

/// The token among the WebSocket subprotocols, and the header value that is left without it.
// UPSTREAM: there must be another subprotocol, for the server has to answer with one; an empty one
// counts (kube-apiserver 1.36)
fn protocol_token(headers: &HeaderMap) -> Result<Option<(Vec<u8>, HeaderValue)>, AuthnFailure> {
    if !is_websocket(headers) {
        return Ok(None);
    }
    let mut token: Option<Vec<u8>> = None;
    let mut others: Vec<&[u8]> = Vec::new();
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    for protocol in values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(trim) {
        let Some(encoded) = protocol.strip_prefix(PROTOCOL_PREFIX) else {
            others.push(protocol);
            continue;
        };
        if token.is_some() {
            return Err(AuthnFailure::bad("multiple base64.bearer.authorization tokens specified"));
        }
        let decoded = BASE64_URL
            .decode(encoded)
            .map_err(|_| AuthnFailure::bad("invalid base64.bearer.authorization token encoding"))?;
        if str::from_utf8(&decoded).is_err() {
            return Err(AuthnFailure::bad("invalid base64.bearer.authorization token"));
        }
        token = Some(decoded);
    }
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if others.is_empty() {
        return Err(AuthnFailure::bad("missing additional subprotocol"));
    }
    let rest =
        HeaderValue::from_bytes(&others.join(&b',')).map_err(|_| AuthnFailure::bad("invalid subprotocol"))?;
    Ok(Some((token, rest)))
}

/// Whether the request asks for an upgrade to WebSocket.
// UPSTREAM: the first `Upgrade` header alone counts; any `Connection` header that has `upgrade`
// anywhere in it does (kube-apiserver 1.36)
fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && headers
            .get_all(header::CONNECTION)
            .iter()
            .any(|value| value.as_bytes().windows(7).any(|part| part.eq_ignore_ascii_case(b"upgrade")))
}

/// Without white space at both ends, that of Unicode included, as Go trims.
fn trim(text: &[u8]) -> &[u8] {
    str::from_utf8(text).map_or_else(|_| text.trim_ascii(), |text| text.trim().as_bytes())
}
