//! One runner a file of vectors.

mod anonymous;
mod authz_chain;
mod authz_config_invalid;
mod authz_webhook;
mod bearer_header;
mod cel;
mod impersonation;
mod node;
mod rbac;
mod rbac_aggregation;
mod rbac_escalation;
mod rbac_rules;
mod request_info;
mod sa_token;
mod x509;

use crate::Run;

/// Which file is run by what. Files that no issue has reached yet are in `runners.toml`.
pub const ALL: &[(&str, Run)] = &[
    ("anonymous.jsonl", anonymous::run),
    ("authz_chain.jsonl", authz_chain::run),
    ("authz_config_invalid.jsonl", authz_config_invalid::run),
    ("authz_webhook.jsonl", authz_webhook::run),
    ("bearer_header.jsonl", bearer_header::run),
    ("cel.jsonl", cel::run),
    ("constrained_impersonation.jsonl", impersonation::constrained),
    ("impersonation.jsonl", impersonation::legacy),
    ("node.jsonl", node::run),
    ("node_podcertificaterequest.jsonl", node::run),
    ("rbac.jsonl", rbac::run),
    ("rbac_aggregation.jsonl", rbac_aggregation::run),
    ("rbac_escalation.jsonl", rbac_escalation::run),
    ("rbac_rules.jsonl", rbac_rules::run),
    ("request_info.jsonl", request_info::run),
    ("sa_token.jsonl", sa_token::run),
    ("x509.jsonl", x509::run),
];
