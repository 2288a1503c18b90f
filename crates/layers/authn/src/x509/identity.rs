//! Whom a verified certificate stands for.

use types::{User, extra};

use super::{BadUid, certificate::Certificate};

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
/// `1.3.6.1.4.1.57683.2`
const KUBERNETES_UID: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xc2, 0x53, 2];

/// The user that the subject names; `None` if it has no common name.
// UPSTREAM: the last common name counts, even an empty one; organizations are groups, in order,
// duplicates and empty ones included; values that are no strings are passed over
// (kube-apiserver 1.36).
pub(super) fn user(leaf: &Certificate, with_uid: bool) -> Result<Option<User>, BadUid> {
    let texts = |kind: &'static [u8]| {
        leaf.subject_attributes()
            .iter()
            .filter(move |attribute| *attribute.kind == *kind)
            .filter_map(|attribute| attribute.text.clone())
    };
    let Some(name) = texts(COMMON_NAME).next_back().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(User {
        name,
        uid: if with_uid { uid(leaf)? } else { String::new() },
        groups: texts(ORGANIZATION).collect(),
        extra: [(extra::CREDENTIAL_ID.to_owned(), vec![credential_id(leaf)])].into(),
    }))
}

/// `X509SHA256=` and the fingerprint in lower-case hexadecimal.
pub(super) fn credential_id(leaf: &Certificate) -> String {
    use std::fmt::Write;
    leaf.fingerprint().iter().fold("X509SHA256=".to_owned(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}"); // writing to a String cannot fail
        id
    })
}

/// The value of the only UID attribute; empty if there is none.
fn uid(leaf: &Certificate) -> Result<String, BadUid> {
    let mut uids = Vec::new();
    for attribute in leaf.subject_attributes().iter().filter(|a| *a.kind == *KUBERNETES_UID) {
        match &attribute.text {
            None => return Err(BadUid::NotAString),
            Some(uid) if uid.is_empty() => return Err(BadUid::Empty),
            Some(uid) => uids.push(uid.clone()),
        }
    }
    match uids.len() {
        0 | 1 => Ok(uids.pop().unwrap_or_default()),
        _ => Err(BadUid::Several(uids)),
    }
}
