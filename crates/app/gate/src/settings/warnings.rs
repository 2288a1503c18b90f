//! Combinations of flags that work but are unsafe.

use authn::Authn;

use crate::Options;

/// A combination of flags that works but is unsafe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The flag it is about: `--allow-cidr`.
    pub flag: &'static str,
    /// What is unsafe.
    pub message: String,
    /// How to make it safe.
    pub way_out: String,
}

/// All that were found.
#[derive(Default)]
pub(crate) struct Warnings(pub(super) Vec<Warning>);

impl Warnings {
    pub(super) fn add(&mut self, flag: &'static str, message: impl Into<String>, way_out: &str) {
        self.0.push(Warning { flag, message: message.into(), way_out: way_out.to_owned() });
    }
}

impl Options {
    /// Warns of what the options let in or leave off.
    pub(super) fn warn(&self, warnings: &mut Warnings, certificates: bool, authn: &Authn) {
        if self.allow_cidr.is_empty() {
            let where_from = if self.bind_address.is_unspecified() { " on every interface" } else { "" };
            warnings.add(
                "--allow-cidr",
                format!("every address may connect{where_from}"),
                "name the networks that may, such as `--allow-cidr 10.0.0.0/8`",
            );
        }
        if self.anonymous_auth && !self.lets_anonymous_in() {
            warnings.add(
                "--anonymous-auth",
                "has no effect: AlwaysAllow switches it off, since anybody could do everything",
                "use another authorizer",
            );
        }
        if self.lets_anonymous_in() {
            warnings.add(
                "--anonymous-auth",
                "requests without a credential are let in as `system:anonymous`",
                "leave the flag out unless a client needs it",
            );
        } else if !certificates && authn.static_tokens.is_none() && authn.service_accounts.is_none() {
            warnings.add(
                "--client-ca-file",
                "no credential of any kind is accepted, so every request is answered 401",
                "give `--client-ca-file`, `--service-account-key-file` or `--token-auth-file`",
            );
        }
        if authn.service_accounts.is_some() && !self.service_account_lookup {
            warnings.add(
                "--service-account-lookup",
                "legacy tokens stay good after their secret or service account has been deleted",
                "leave the flag at its default, `true`",
            );
        }
        if authn.static_tokens.is_some() {
            warnings.add(
                "--token-auth-file",
                "static tokens never run out",
                "use client certificates or service-account tokens for people and programs that last",
            );
        }
        if self.audit_log_path.is_none() {
            warnings.add("--audit-log-path", "nothing that happens goes on record", "name a file, or `-`");
        }
        for (flag, limit) in [
            ("--max-requests-inflight", self.max_requests_inflight),
            ("--max-mutating-requests-inflight", self.max_mutating_requests_inflight),
        ] {
            if limit == 0 {
                warnings.add(flag, "any number of requests may run at once", "leave the flag at its default");
            }
        }
    }
}
