use super::*;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static(value))
        })
        .collect()
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    lines
}

#[track_caller]
fn check_strip(given: &[(&'static str, &'static str)], left: &[&str], stripped: Stripped) {
    let mut headers = headers(given);
    assert_eq!(strip(&mut headers), stripped);
    assert_eq!(lines(&headers), left);
}

#[test]
fn no_identity_header_survives_in_any_spelling() {
    check_strip(
        &[
            ("Accept", "a"),
            ("Impersonate-User", "root"),
            ("IMPERSONATE-GROUP", "system:masters"),
            ("Impersonate-Extra-Acme.com%2frole", "x"),
            ("Impersonate_User", "root"),
            ("Impersonate.Uid", "1"),
            ("X-Remote-User", "root"),
            ("x_remote_group", "system:masters"),
            ("X-Remote-Extra-Scopes", "x"),
            ("X-Remotely", "stays"),
            ("Impersonate", "stays"),
        ],
        &["accept: a", "impersonate: stays", "x-remotely: stays"],
        Stripped { impersonate: 3, front_proxy: 2, aliased: 3, nominated: 0 },
    );
}

#[test]
fn repeated_headers_go_all_at_once() {
    check_strip(
        &[("Impersonate-Group", "a"), ("Impersonate-Group", "b"), ("X-Remote-Group", "c")],
        &[],
        Stripped { impersonate: 1, front_proxy: 1, ..Stripped::default() },
    );
}

#[test]
fn nominated_headers_go_first_and_connection_with_them() {
    check_strip(
        &[
            ("Connection", "close, X-Private , impersonate-user"),
            ("Connection", "x-other"),
            ("X-Private", "1"),
            ("X-Other", "1"),
            ("Impersonate-User", "root"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Trailer", "Impersonate-User"),
            ("Upgrade", "SPDY/3.1"),
            ("User-Agent", "test"),
        ],
        &["user-agent: test"],
        Stripped { impersonate: 1, nominated: 2, ..Stripped::default() },
    );
}

#[test]
fn front_proxy_headers_of_the_configuration_go_too() {
    let which = IdentityHeaders::default().with_front_proxy(["X-Forwarded-User"], ["X-Acme-Extra-"]);
    let mut headers = headers(&[
        ("x-forwarded-user", "root"),
        ("X_Forwarded_User", "root"),
        ("x-acme-extra-role", "x"),
        ("x-forwarded-for", "stays"),
    ]);
    let stripped = which.strip(&mut headers);
    assert_eq!(stripped, Stripped { front_proxy: 2, aliased: 1, ..Stripped::default() });
    assert_eq!(lines(&headers), ["x-forwarded-for: stays"]);
}

fn user(name: &str, groups: &[&str], extra: &[(&str, &[&str])]) -> User {
    let mut user = User::new(name, groups.iter().copied());
    for (key, values) in extra {
        user.extra.insert((*key).to_owned(), values.iter().map(|v| (*v).to_owned()).collect());
    }
    user
}

#[track_caller]
fn check_set(user: &User, expected: Result<&[&str], CannotExpress>) {
    let set = Identity::new(user).map(|identity| {
        let mut headers = headers(&[("Impersonate-User", "forged"), ("Impersonate_Group", "forged")]);
        identity.replace_in(&IdentityHeaders::default(), &mut headers);
        lines(&headers)
    });
    assert_eq!(set, expected.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect()));
}

#[test]
fn a_user_is_expressed_in_full() {
    let mut jane = user(
        "jane",
        &["b", "a", "a", "system:authenticated"],
        &[("acme.com/Role", &["dev", ""]), ("authentication.kubernetes.io/credential-id", &["X509SHA256=1"])],
    );
    jane.uid = "42".to_owned();
    check_set(
        &jane,
        Ok(&[
            "impersonate-extra-acme.com%2f%52ole: ",
            "impersonate-extra-acme.com%2f%52ole: dev",
            "impersonate-extra-authentication.kubernetes.io%2fcredential-id: X509SHA256=1",
            "impersonate-group: a",
            "impersonate-group: a",
            "impersonate-group: b",
            "impersonate-group: system:authenticated",
            "impersonate-uid: 42",
            "impersonate-user: jane",
        ]),
    );
    check_set(
        &user("Jürgen", &["", "system:authenticated"], &[]),
        Ok(&["impersonate-group: ", "impersonate-group: system:authenticated", "impersonate-user: Jürgen"]),
    );
}

#[test]
fn groups_keep_their_order() {
    let identity = Identity::new(&user("jane", &["z", "a", "system:authenticated"], &[])).unwrap();
    let mut headers = HeaderMap::new();
    identity.replace_in(&IdentityHeaders::default(), &mut headers);
    let groups: Vec<_> = headers.get_all("impersonate-group").iter().collect();
    assert_eq!(groups, ["z", "a", "system:authenticated"]);
}

#[test]
fn what_cannot_be_expressed_fails_closed() {
    let known = "system:authenticated";
    check_set(&user("", &[known], &[]), Err(CannotExpress::NoName));
    check_set(&user(" ", &[known], &[]), Err(CannotExpress::Value("the user name")));
    check_set(&user("jane ", &[known], &[]), Err(CannotExpress::Value("the user name")));
    check_set(
        &user("jane\nImpersonate-Group: system:masters", &[known], &[]),
        Err(CannotExpress::Value("the user name")),
    );
    check_set(&user("jane", &["a\0", known], &[]), Err(CannotExpress::Value("a group")));
    check_set(&user("jane", &[known], &[("k", &["\u{7f}"])]), Err(CannotExpress::Value("an extra value")));
    check_set(&user("jane", &[known], &[("k", &[])]), Err(CannotExpress::NoValues("k".to_owned())));
    check_set(&user("jane", &["a"], &[]), Err(CannotExpress::NeitherGroup));
    check_set(&user("system:anonymous", &[known], &[]), Err(CannotExpress::NeitherGroup));
}
