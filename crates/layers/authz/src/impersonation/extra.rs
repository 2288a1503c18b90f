//! Which extras a constrained mode takes.

use std::collections::BTreeMap;

use types::{dns_name, quote};

use crate::opinion::aggregate;

/// What is wrong with the first extra that cannot be, in kube-apiserver's words.
// UPSTREAM: keys are looked at in random order there (kube-apiserver 1.36)
pub(super) fn validate(extra: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
    for (key, values) in extra {
        if key.is_empty() {
            return Err("impersonating the empty string key in extra is not allowed".to_owned());
        }
        domain_prefixed_path(key)
            .map_err(|why| format!("impersonating an invalid key in extra is not allowed: {why}"))?;
        if *key != key.to_lowercase() {
            let key = quote(key);
            return Err(format!("impersonating a non-lowercase key in extra is not allowed: {key}"));
        }
        if values.is_empty() {
            return Err("impersonating empty values in extra is not allowed".to_owned());
        }
        if values.iter().any(String::is_empty) {
            return Err("impersonating the empty string value in extra is not allowed".to_owned());
        }
    }
    Ok(())
}

/// `acme.io/foo`: a subdomain, and what can stand in the path of a URL.
fn domain_prefixed_path(key: &str) -> Result<(), String> {
    let invalid = |value: &str, why: &str| format!("extra.key: Invalid value: {}: {why}", quote(value));
    let Some((host, path)) = key.split_once('/').filter(|(host, path)| !host.is_empty() && !path.is_empty())
    else {
        return Err(invalid(key, "must be a domain-prefixed path (such as \"acme.io/foo\")"));
    };
    let mut wrong = Vec::new();
    if host.len() > 253 {
        wrong.push(invalid(host, "must be no more than 253 bytes"));
    }
    if !dns_name::is_subdomain_of_any_length(host) {
        wrong.push(invalid(host, dns_name::SUBDOMAIN_RULE));
    }
    if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        let why = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        wrong.push(invalid(path, why));
    }
    if wrong.is_empty() { Ok(()) } else { Err(aggregate(wrong.iter().map(String::as_str))) }
}
