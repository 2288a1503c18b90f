//! The `Impersonate-*` headers, as kube-apiserver reads them.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use types::{Status, StatusReason, User, quote};

static USER: HeaderName = HeaderName::from_static("impersonate-user");
static GROUP: HeaderName = HeaderName::from_static("impersonate-group");
static UID: HeaderName = HeaderName::from_static("impersonate-uid");
const EXTRA: &str = "impersonate-extra-";

/// Takes the user that is asked for off `headers`; `constrained` chooses the words of the refusal.
// UPSTREAM: the first `Impersonate-User` and `Impersonate-Uid` count, and every `Impersonate-Group`,
// commas and all; an empty user or UID counts as absent, an empty group does not (kube-apiserver 1.36)
pub(super) fn take(headers: &mut HeaderMap, constrained: bool) -> Result<Option<User>, Box<Status>> {
    // Nearly every request ends here, and nothing has been allocated for it.
    if !headers.keys().any(|name| name.as_str().starts_with("impersonate-")) {
        return Ok(None);
    }
    let first = |name| headers.get(name).map(text).unwrap_or_default();
    let wanted = User {
        name: first(&USER),
        uid: first(&UID),
        groups: headers.get_all(&GROUP).iter().map(text).collect(),
        extra: extras(headers),
    };
    if wanted.name.is_empty() {
        if wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty() {
            return Ok(None);
        }
        let message = if constrained { as_go_syntax(&wanted) } else { as_references(&wanted) };
        return Err(Box::new(Status::failure(400, StatusReason::BadRequest, message)));
    }
    let extra = |name: &&HeaderName| name.as_str().starts_with(EXTRA);
    let read: Vec<HeaderName> = headers.keys().filter(extra).cloned().collect();
    for name in [&USER, &GROUP, &UID].into_iter().chain(&read) {
        headers.remove(name);
    }
    Ok(Some(wanted))
}

/// Bytes that are no UTF-8 become U+FFFD, and are decided on, recorded and forwarded as that.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Values by key; keys that are equal once they are decoded share a list.
fn extras(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut extra = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            extra.entry(unescape(key)).or_default().push(text(value));
        }
    }
    extra
}

/// Decodes a key, which is lower case already: `%41` is an `A` that stays one.
// UPSTREAM: a key with a bad escape is taken as it stands (kube-apiserver 1.36)
fn unescape(key: &str) -> String {
    let is_hex = |b: Option<&u8>| b.is_some_and(u8::is_ascii_hexdigit);
    let well_formed = |escape: &str| is_hex(escape.as_bytes().first()) && is_hex(escape.as_bytes().get(1));
    if key.split('%').skip(1).all(well_formed) {
        percent_decode_str(key).decode_utf8_lossy().into_owned()
    } else {
        key.to_owned()
    }
}

/// The refusal of the filter that 1.36 runs by default: the user in Go's syntax.
fn as_go_syntax(User { name, uid, groups, extra }: &User) -> String {
    let list = |texts: &[String]| {
        let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
        format!("[]string{{{}}}", quoted.join(", "))
    };
    let groups = if groups.is_empty() { "[]string(nil)".to_owned() } else { list(groups) };
    let extra = if extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let pairs: Vec<String> =
            extra.iter().map(|(key, values)| format!("{}:{}", quote(key), list(values))).collect();
        format!("map[string][]string{{{}}}", pairs.join(", "))
    };
    let (name, uid) = (quote(name), quote(uid));
    format!(
        "requested &user.DefaultInfo{{Name:{name}, UID:{uid}, Groups:{groups}, Extra:{extra}}} \
         without impersonating a user name"
    )
}

/// The refusal of the older filter: object references, member by member.
fn as_references(User { uid, groups, extra, .. }: &User) -> String {
    const API_VERSION: &str = "authentication.k8s.io/v1";
    // Kind, namespace, name, uid, apiVersion, resourceVersion, fieldPath.
    let reference = |kind: &str, name: &str, api_version: &str, field_path: &str| {
        format!("{{{kind}  {name}  {api_version}  {field_path}}}")
    };
    let mut references: Vec<String> = groups.iter().map(|group| reference("Group", group, "", "")).collect();
    for (key, values) in extra {
        references.extend(values.iter().map(|value| reference("UserExtra", value, API_VERSION, key)));
    }
    if !uid.is_empty() {
        references.push(reference("UID", uid, API_VERSION, ""));
    }
    format!("requested [{}] without impersonating a user", references.join(" "))
}
