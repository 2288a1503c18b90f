//! What would have to change for the opposite.

use std::net::IpAddr;

use authn::{Identity, Unauthorized};
use network::Judgement;
use types::{Attributes, Evidence, group};

use super::{Says, Shown, Voice};

/// As many roles are named as a person looks at.
const ROLES: usize = 5;

pub(super) fn network(judgement: &Judgement, address: IpAddr) -> Vec<String> {
    match judgement {
        Judgement::NotConfigured => {
            vec![format!(
                "to refuse it: name the networks that may connect with --allow-cidr, and {address} in none of them"
            )]
        }
        Judgement::Allowed(network) => {
            vec![format!(
                "to refuse it: take {network}, and any wider network around {address}, out of --allow-cidr"
            )]
        }
        Judgement::Refused => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            vec![format!("to let it in: --allow-cidr {address}/{bits}, or a network that contains it")]
        }
    }
}

pub(super) fn authenticated(shown: &Shown, identity: &Identity) -> Vec<String> {
    let what = match shown {
        Shown::Certificate(_) => "the certificate",
        Shown::Token(_) => "the token",
        Shown::Nothing => return vec!["to refuse it: --anonymous-auth=false".to_owned()],
        Shown::Named(_) => return Vec::new(),
    };
    let end = match identity.valid_until {
        Some(until) => format!("{what} runs out on {until}"),
        None => format!("{what} never runs out"),
    };
    vec![format!("{end}; to refuse it before: --deny-user {}", identity.user.name)]
}

pub(super) fn unauthorized(shown: &Shown, refused: &Unauthorized, ignored: bool) -> Vec<String> {
    if ignored {
        return vec!["to let it in: --client-ca-file with the authority that signed it".to_owned()];
    }
    if refused.failures.is_empty() {
        return vec!["to let it in: show a client certificate or a token".to_owned()];
    }
    if refused.failures.iter().any(|failure| failure.unanswered) {
        return vec!["to know: --kubeconfig of somebody who may get what the token is bound to".to_owned()];
    }
    match shown {
        Shown::Token(_) => vec!["to let it in: a token that is good; this one cannot be mended".to_owned()],
        _ => vec!["to let it in: a certificate that is good; this one cannot be mended".to_owned()],
    }
}

pub(super) fn deny_list(entries: &[Evidence]) -> Vec<String> {
    let flags: Vec<String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Evidence::DenyListEntry { flag, name } => Some(format!("{flag} {name}")),
            _ => None,
        })
        .collect();
    vec![format!("to let it pass: take away {}", flags.join(" and "))]
}

pub(super) fn authorization(at: &Attributes<'_>, allowed: bool, voices: &[Voice]) -> Vec<String> {
    if allowed {
        return voices.iter().filter(|voice| voice.answer == Says::Allow).flat_map(refuse).collect();
    }
    if let Some(denied) = voices.iter().find(|voice| voice.answer == Says::Deny) {
        let entries: Vec<Evidence> = denied.evidence.clone();
        return match entries.first() {
            Some(Evidence::DenyListEntry { .. }) => deny_list(&entries),
            _ => vec![format!(
                "to let it pass: {} has to say otherwise; it comes before the others",
                name(denied)
            )],
        };
    }
    let mut changes: Vec<String> =
        voices.iter().flat_map(|voice| &voice.evidence).flat_map(|e| grant(at, e)).collect();
    if changes.is_empty() {
        changes.push(
            "to let it pass: an authorizer that allows it has to be in --authorization-mode".to_owned(),
        );
    }
    changes
}

/// What lets a requester act as somebody else whom this check refused. The verb `impersonate`, which lends
/// everything that the other may do, sorts before the modes that are limited to one kind of request.
pub(super) fn impersonation(at: &Attributes<'_>, voices: &[Voice]) -> (bool, Vec<String>) {
    let limited = at.verb != "impersonate";
    if !limited {
        return (limited, authorization(at, false, voices));
    }
    // Whether somebody may impersonate all groups at once is only asked to save questions.
    let is_shortcut = at.name == "*" && matches!(at.resource, "groups" | "userextras");
    let rule = voices.iter().flat_map(|voice| &voice.evidence).find_map(|evidence| match evidence {
        Evidence::Lack { rule, .. } => Some(rule),
        _ => None,
    });
    let change = rule.filter(|_| !is_shortcut).map(|rule| {
        let place = binding_for(at);
        format!("or, for what is done with it here alone: {place} to a role with the rule {rule}, and what is asked next")
    });
    (limited, change.into_iter().collect())
}

/// What ends an Allow.
fn refuse(voice: &Voice) -> Vec<String> {
    let bindings: Vec<String> = voice
        .evidence
        .iter()
        .filter_map(|evidence| match evidence {
            Evidence::Grant(grant) => Some(format!("{} ({})", grant.binding, grant.subject)),
            _ => None,
        })
        .collect();
    match (voice.evidence.first(), bindings.as_slice()) {
        (Some(Evidence::Superuser), _) => vec![format!(
            "to refuse it: a credential without the group {}; no role or binding plays a part, --deny-user does",
            group::MASTERS
        )],
        (Some(Evidence::Node { path, .. }), _) if !path.is_empty() => {
            vec![
                "to refuse it: no pod of the node may need it any more; nothing else breaks the path"
                    .to_owned(),
            ]
        }
        (_, []) => vec![format!("to refuse it: take {} out of --authorization-mode", name(voice))],
        (_, [one]) => vec![format!("to refuse it: remove {one}")],
        (_, several) => vec![format!("to refuse it: remove all of {}", several.join(", "))],
    }
}

/// The narrowest binding that can lend a right to this.
fn binding_for(at: &Attributes<'_>) -> String {
    match (at.resource_request, at.namespace) {
        (true, namespace) if !namespace.is_empty() => format!("a RoleBinding in {namespace}"),
        _ => "a ClusterRoleBinding".to_owned(),
    }
}

/// What makes an Allow of a lack.
fn grant(at: &Attributes<'_>, evidence: &Evidence) -> Vec<String> {
    match evidence {
        Evidence::Lack { rule, roles } => {
            let place = binding_for(at);
            let mut changes = vec![format!("to let it pass: {place} to a role with the rule {rule}")];
            if !roles.is_empty() {
                let mut named: Vec<String> = roles.iter().take(ROLES).map(ToString::to_string).collect();
                if roles.len() > ROLES {
                    named.push(format!("{} more", roles.len() - ROLES));
                }
                changes.push(format!("roles that have it, narrowest first: {}", named.join(", ")));
            }
            changes
        }
        Evidence::BrokenBinding { binding, error } => vec![format!("{binding} grants nothing: {error}")],
        _ => Vec::new(),
    }
}

/// The authorizer's name, which its detail begins with.
fn name(voice: &Voice) -> &str {
    voice.detail.split(':').next().unwrap_or_default()
}
