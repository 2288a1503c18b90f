//! Header lines: of the tokens shown at most two are tried, and one that is accepted is gone after it
//! was consumed.
#![no_main]

use std::sync::Arc;

use authn::{Consumed, Identity, Remarks, TokenAnswer, TokenUser, Unauthorized, bearer};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use types::{Step, User};

fuzz_target!(|text: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]))
        {
            headers.append(name, value);
        }
    }
    let Some((accepted, consumed)) = authenticate(&headers) else { return };
    assert!(accepted.starts_with('g'));
    consumed.strip(&mut headers);
    match consumed {
        Consumed::Authorization => assert!(!headers.contains_key(header::AUTHORIZATION)),
        Consumed::WebSocketProtocol(_) => {
            assert!(authenticate(&headers).is_none(), "{headers:?}");
            assert_eq!(headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().count(), 1);
        }
        Consumed::Nothing => panic!("a token stands in a header"),
    }
});

/// Takes every token that begins with `g`.
fn authenticate(headers: &HeaderMap) -> Option<(String, Consumed)> {
    let (mut tried, mut refused) = (Vec::new(), Unauthorized::default());
    let outcome = bearer::authenticate(headers, &mut refused, |token| {
        assert!(!token.is_empty());
        tried.push(token.to_owned());
        if !token.starts_with('g') {
            return Step::Done(TokenAnswer::NoOpinion);
        }
        let identity = Identity { user: Arc::new(User::new(token, ["g"])), valid_until: None };
        let user = TokenUser { identity, audiences: Vec::new(), remarks: Remarks::default() };
        Step::Done(TokenAnswer::Accepted(Arc::new(user)))
    });
    assert!(tried.len() <= 2, "{tried:?}");
    match outcome {
        Step::Done(Some((user, consumed))) => {
            assert_eq!(tried.last(), Some(&user.identity.user.name));
            Some((user.identity.user.name.clone(), consumed))
        }
        Step::Done(None) => {
            assert!(
                tried.len() <= refused.failures.len(),
                "every bad token is a failure, or the request is anonymous"
            );
            None
        }
        Step::Ask(_) => panic!("nothing was asked"),
    }
}
