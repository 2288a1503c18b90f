//! Header lines: after stripping no identity header is left, whatever it was called, and a user that
//! is set stands there alone. Whoever the lines ask to impersonate is set as exactly that user: what
//! the API server reads of the headers is who was decided on.
#![no_main]

use authz::{Impersonation, Opinion};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use request::RequestInfo;
use types::{Step, Timestamp, User};
use upstream::identity::{Identity, IdentityHeaders, strip};

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
    let impersonated = effective(headers.clone());
    let before = headers.keys().filter(|name| is_identity(name)).count();
    let stripped = strip(&mut headers);
    let counted = stripped.impersonate + stripped.front_proxy + stripped.aliased;
    assert!(counted == before, "{counted} of {before}");
    assert!(!headers.keys().any(is_identity) && !headers.contains_key("connection"));
    assert_eq!(strip(&mut headers), upstream::Stripped::default(), "nothing is left to strip");

    let user = User::new("alice", ["dev", "system:authenticated"]);
    let identity = Identity::new(&user).expect("a user that can be told");
    identity.replace_in(&IdentityHeaders::default(), &mut headers);
    let told: Vec<_> = headers
        .iter()
        .filter(|(name, _)| is_identity(name))
        .map(|(n, v)| (n.as_str(), v.as_bytes()))
        .collect();
    let expected: [(&str, &[u8]); 3] = [
        ("impersonate-user", b"alice"),
        ("impersonate-group", b"dev"),
        ("impersonate-group", b"system:authenticated"),
    ];
    assert_eq!(told, expected);

    let Some(user) = impersonated else { return };
    let Ok(identity) = Identity::new(&user) else {
        // Only blanks that HTTP/1.1 would trim; a header has brought all else here.
        let texts = user.groups.iter().chain([&user.name, &user.uid]).chain(user.extra.values().flatten());
        let blank = [' ', '\t'];
        assert!(texts.into_iter().any(|text| text.trim_matches(blank) != text), "{user:?}");
        return;
    };
    identity.replace_in(&IdentityHeaders::default(), &mut headers);
    assert_eq!(Impersonation::new(true).requested(&mut headers).expect("a user with a name"), Some(user));
    assert!(!headers.keys().any(is_identity));
});

/// The user that the headers ask for, to a requester who may be anybody.
fn effective(mut headers: HeaderMap) -> Option<User> {
    let impersonation = Impersonation::new(true);
    let wanted = impersonation.requested(&mut headers).ok()??;
    let requester = User::new("root", ["system:authenticated"]);
    let info = RequestInfo::parse("GET", "/version").expect("a request line");
    let at = info.attributes(&requester);
    let decided =
        impersonation.decide(&wanted, &at, Timestamp::UNIX_EPOCH, &mut |_| Step::Done(Opinion::allow("")));
    let Step::Done(Ok(impersonated)) = decided else { panic!("everything is allowed") };
    Some(User::clone(&impersonated.user))
}

/// Read on its own: letter by letter, any of `-`, `_` and `.` for a hyphen.
fn is_identity(name: &HeaderName) -> bool {
    ["impersonate-", "x-remote-"].iter().any(|prefix| {
        let alike = |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || b == b'-' && matches!(a, b'_' | b'.');
        name.as_str().len() >= prefix.len() && name.as_str().bytes().zip(prefix.bytes()).all(alike)
    })
}
