//! What the options make of each layer, in the words of `portcullis status`.

use authn::{Authn, x509::ClientCa};

use crate::{
    Options,
    settings::ModeSetting,
    status::{LayerStates, State},
};

impl Options {
    /// On or off, and what the layer does.
    pub(super) fn layer_states(&self, authority: Option<&ClientCa>, authn: &Authn) -> LayerStates {
        let network = match self.allow_cidr.as_slice() {
            [] => (State::Off, "no --allow-cidr: every address may connect".to_owned()),
            networks => (State::On, format!("only {} may connect", networks.join(", "))),
        };
        let mut kinds: Vec<String> = Vec::new();
        kinds.extend(authority.map(|ca| match ca.certificates().len() {
            1 => "client certificates of one authority".to_owned(),
            several => format!("client certificates of {several} authorities"),
        }));
        kinds.extend(
            authn
                .service_accounts
                .as_ref()
                .map(|accounts| format!("service-account tokens of {}", accounts.issuers.join(", "))),
        );
        kinds.extend(authn.static_tokens.as_ref().map(|_| "static tokens".to_owned()));
        let anonymous =
            if self.lets_anonymous_in() { "anonymous requests let in" } else { "anonymous requests refused" };
        kinds.push(anonymous.to_owned());
        let authentication = match (authority, &authn.service_accounts, &authn.static_tokens) {
            (None, None, None) if self.lets_anonymous_in() => State::Off,
            _ => State::On,
        };
        let limit = |limit: u32| if limit == 0 { "any number of".to_owned() } else { limit.to_string() };
        let admission = match (self.max_requests_inflight, self.max_mutating_requests_inflight) {
            (0, 0) => (State::Off, "no limit on running requests".to_owned()),
            (reading, writing) => (
                State::On,
                format!("{} reading and {} mutating requests at once", limit(reading), limit(writing)),
            ),
        };
        let audit = match &self.audit_log_path {
            None => (State::Off, "no --audit-log-path: nothing goes on record".to_owned()),
            Some(path) => (
                State::On,
                format!("every request at Metadata to {}, {}", path.display(), self.audit_log_mode.as_str()),
            ),
        };
        LayerStates {
            network,
            tls: (State::On, "TLS 1.2 and 1.3".to_owned()),
            authentication: (authentication, kinds.join("; ")),
            admission,
            audit,
        }
    }
}

/// Layer 4 of a chain. `rbac` is how many objects `--rbac-from` has.
pub(crate) fn authorization_state(modes: &[ModeSetting], rbac: Option<usize>) -> (State, String) {
    let objects = match rbac {
        Some(count) => format!("RBAC, {count} objects of --rbac-from"),
        None => "RBAC, objects watched upstream".to_owned(),
    };
    let in_words: Vec<String> = modes
        .iter()
        .map(|mode| match mode {
            ModeSetting::Rbac => objects.clone(),
            other => other.label(),
        })
        .collect();
    // Nobody behind it is asked, and of those in front of it only webhooks ever deny.
    let mut in_front = modes.iter().take_while(|mode| !matches!(mode, ModeSetting::Webhook(..)));
    let state = match in_front.any(|mode| matches!(mode, ModeSetting::AlwaysAllow)) {
        true => State::Off,
        false => State::On,
    };
    (state, in_words.join("; then "))
}
