//! Which protocol a connection is turned over to.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use types::{Status, StatusReason};

use super::channels::Codec;

const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
/// What every WebSocket server appends to a key (RFC 6455, section 1.3).
const WEBSOCKET: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    RemoteCommand,
    PortForward,
}

/// What carries the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Spdy,
    /// WebSocket messages, each with the number of its channel.
    Channels(Codec),
    /// SPDY in WebSocket messages.
    Tunnel,
}

/// What was agreed on, and the headers that say so.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) carrier: Carrier,
    pub(super) headers: HeaderMap,
}

/// Agrees on the client's first protocol that is known here.
pub(super) fn agree(asked: &HeaderMap, offer: Offer) -> Result<Agreed, Status> {
    let wants = asked.get(header::UPGRADE).map(HeaderValue::as_bytes).unwrap_or_default();
    if wants.eq_ignore_ascii_case(b"websocket") {
        websocket(asked, offer)
    } else if wants.eq_ignore_ascii_case(b"SPDY/3.1") {
        spdy(asked, offer)
    } else {
        // UPSTREAM: in these words (kubelet 1.36)
        Err(bad_request("unable to upgrade: missing upgrade headers in request"))
    }
}

fn bad_request(message: impl Into<String>) -> Status {
    Status::failure(400, StatusReason::BadRequest, message)
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty()).collect()
}

fn spdy(asked: &HeaderMap, offer: Offer) -> Result<Agreed, Status> {
    let known = match offer {
        Offer::RemoteCommand => "v4.channel.k8s.io",
        Offer::PortForward => "portforward.k8s.io",
    };
    let offered = words(asked, &STREAM_PROTOCOL);
    if !offered.contains(&known) {
        let message = format!(
            "unable to upgrade: unable to negotiate protocol: client supports {offered:?}, server accepts [{known:?}]"
        );
        return Err(Status::failure(403, StatusReason::Forbidden, message));
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("SPDY/3.1"));
    headers.insert(STREAM_PROTOCOL, HeaderValue::from_static(known));
    Ok(Agreed { carrier: Carrier::Spdy, headers })
}

/// The WebSocket protocols that are known, and what each means.
fn carrier(name: &str, offer: Offer) -> Option<(&'static str, Carrier)> {
    let channels =
        |name, base64, closes, status| Some((name, Carrier::Channels(Codec { base64, closes, status })));
    match (offer, name) {
        (Offer::PortForward, TUNNEL) => Some((TUNNEL, Carrier::Tunnel)),
        (_, "v5.channel.k8s.io") if offer == Offer::RemoteCommand => {
            channels("v5.channel.k8s.io", false, true, true)
        }
        (_, "v4.channel.k8s.io") => channels("v4.channel.k8s.io", false, false, true),
        (_, "v4.base64.channel.k8s.io") => channels("v4.base64.channel.k8s.io", true, false, true),
        (Offer::RemoteCommand, "channel.k8s.io") => channels("channel.k8s.io", false, false, false),
        (Offer::RemoteCommand, "base64.channel.k8s.io") => {
            channels("base64.channel.k8s.io", true, false, false)
        }
        _ => None,
    }
}

fn websocket(asked: &HeaderMap, offer: Offer) -> Result<Agreed, Status> {
    let key = asked.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_version_13 = asked.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if key.is_empty() || !is_version_13 {
        return Err(bad_request("missing or bad WebSocket-Version or Sec-WebSocket-Key"));
    }
    let offered = words(asked, &header::SEC_WEBSOCKET_PROTOCOL);
    let agreed = offered.iter().find_map(|name| carrier(name, offer));
    // UPSTREAM: who names no protocol gets the first one there was (kubelet 1.36)
    let unnamed = Carrier::Channels(Codec { base64: false, closes: false, status: false });
    let (name, carrier) = match agreed {
        Some((name, carrier)) => (Some(name), carrier),
        None if offered.is_empty() => (None, unnamed),
        None => return Err(bad_request("bad WebSocket protocol")),
    };
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, WEBSOCKET.as_bytes()].concat());
    let accept = HeaderValue::try_from(BASE64_STANDARD.encode(hash.as_ref()));
    let accept = accept.map_err(|_| bad_request("bad Sec-WebSocket-Key"))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(name) = name {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    }
    Ok(Agreed { carrier, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_clients_first_known_protocol_is_taken() {
        let check = |offer, offered: &'static str, expected: Result<&str, u16>| {
            let asked = headers(&[
                ("upgrade", "WebSocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("sec-websocket-protocol", offered),
            ]);
            let found = agree(&asked, offer).map_err(|status| status.code);
            let named = found.as_ref().map(|agreed| {
                assert_eq!(
                    agreed.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                    "RFC 6455"
                );
                let name = agreed.headers.get("sec-websocket-protocol");
                name.map_or("", |name| name.to_str().unwrap())
            });
            assert_eq!(named.map_err(|code| *code), expected, "{offered}");
        };
        check(
            Offer::RemoteCommand,
            "v9.channel.k8s.io, v5.channel.k8s.io, v4.channel.k8s.io",
            Ok("v5.channel.k8s.io"),
        );
        check(Offer::RemoteCommand, "v4.base64.channel.k8s.io", Ok("v4.base64.channel.k8s.io"));
        check(Offer::RemoteCommand, "", Ok(""));
        check(Offer::RemoteCommand, TUNNEL, Err(400));
        check(Offer::PortForward, TUNNEL, Ok(TUNNEL));
        check(Offer::PortForward, "v5.channel.k8s.io", Err(400));
    }

    #[test]
    fn spdy_names_its_protocol_or_is_refused() {
        let check = |offer, offered: &'static str, expected: Result<&str, u16>| {
            let asked = headers(&[("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", offered)]);
            let found = agree(&asked, offer).map_err(|status| status.code);
            let named =
                found.as_ref().map(|agreed| agreed.headers["x-stream-protocol-version"].to_str().unwrap());
            assert_eq!(named.map_err(|code| *code), expected, "{offered}");
        };
        check(Offer::RemoteCommand, "v5.channel.k8s.io, v4.channel.k8s.io", Ok("v4.channel.k8s.io"));
        check(Offer::RemoteCommand, "v1.channel.k8s.io", Err(403));
        check(Offer::PortForward, "portforward.k8s.io", Ok("portforward.k8s.io"));
        let h2c = headers(&[("upgrade", "h2c")]);
        assert_eq!(agree(&h2c, Offer::PortForward).unwrap_err().code, 400);
    }
}
