//! Whatever a stranger sends, nothing here panics, and nothing made up is a user.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use proptest::prelude::*;
use types::{Answers, NoTrace, Step, Timestamp};

use crate::{
    Anonymous, Authn, Credentials, NoMemory, ServiceAccountKeys, ServiceAccounts, StaticTokens,
    bearer::BASE64_URL,
};
use base64::Engine;

const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEedah12dCZTvjrrfddDUn13rCnTt7\n\
    63wuj7mvYuKf0PTWtYVaSVdAkOYG1HPI+U6/tjyPCQz3fIkSl0V9nZwPbg==\n\
    -----END PUBLIC KEY-----\n";

fn authn() -> Authn {
    let mut keys = ServiceAccountKeys::default();
    keys.add_pem(KEY.as_bytes()).unwrap();
    let service_accounts = ServiceAccounts {
        keys,
        issuers: vec!["https://api".to_owned()],
        api_audiences: vec!["https://api".to_owned()],
        lookup: true,
    };
    Authn { service_accounts: Some(service_accounts), anonymous: Anonymous::Refused, static_tokens: None }
}

/// Nobody may come of it.
fn refuse(headers: &HeaderMap) {
    let credentials = Credentials { certificate: None, headers, path: "/", memory: &NoMemory };
    match authn().authenticate(&credentials, Timestamp::UNIX_EPOCH, &Answers::none(), &mut NoTrace) {
        Step::Done(Err(_)) => {}
        other => panic!("{other:?}"),
    }
}

/// JSON as a token may have it, and as it may not.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[a-z:/]{0,8}".prop_map(|text| format!("{text:?}")),
        Just("\"https://api\"".to_owned()),
        Just("\"kubernetes/serviceaccount\"".to_owned()),
        Just("\"ES256\"".to_owned()),
        ".{0,4}",
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let key = prop_oneof![
            Just("iss"),
            Just("ISS"),
            Just("aud"),
            Just("exp"),
            Just("alg"),
            Just("kid"),
            Just("crit"),
            Just("b64"),
            Just("kubernetes.io"),
            Just("namespace"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key, inner), 0..8).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_header(
        name in prop_oneof![Just("authorization"), Just("sec-websocket-protocol")],
        prefix in prop_oneof![
            Just(""), Just("Bearer "), Just("bearer  "), Just("x, base64url.bearer.authorization.k8s.io."),
        ],
        rest in prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8], 0..60),
    ) {
        let value = HeaderValue::from_bytes(&[prefix.as_bytes(), &rest].concat()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), value);
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        refuse(&headers);
    }

    #[test]
    fn any_token(
        head in json(),
        payload in json(),
        length in prop_oneof![Just(64), Just(96), Just(132), 0..80_usize],
        fill in any::<u8>(),
    ) {
        let token = [head.as_bytes(), payload.as_bytes(), &vec![fill; length]].map(|part| BASE64_URL.encode(part)).join(".");
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        refuse(&headers);
    }

    #[test]
    fn any_key_file(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..160_usize, change in any::<u8>()) {
        let mut keys = ServiceAccountKeys::default();
        prop_assert!(keys.add_pem(&bytes).is_err());
        let der = [b"-----BEGIN X-----\n".as_slice(), base64::prelude::BASE64_STANDARD.encode(&bytes).as_bytes(),
            b"\n-----END X-----\n"].concat();
        prop_assert!(keys.add_pem(&der).is_err());
        let mut damaged = KEY.as_bytes().to_vec();
        if let Some(byte) = damaged.get_mut(cut) {
            *byte = change;
        }
        prop_assert!(keys.add_pem(&damaged).is_ok() || keys.ids().next().is_none());
    }

    #[test]
    fn any_token_file(text in "([a-z\",\r\n]|\"\"){0,60}") {
        drop(StaticTokens::parse(&text));
    }
}
