//! `portcullis explain --audit-id`: a request that the running gate has answered.

use std::net::SocketAddr;

use anstyle::Style;
use gate::explain::Recalled;

use super::text::{Outcome, changes, layer, people, verdict};
use crate::{
    commands::{admin, question::Output},
    exit::{self, Failure},
};

/// Explains a request that the running gate has answered.
pub(super) fn explain(gate: SocketAddr, audit_id: &str, output: Output) -> Result<u8, Failure> {
    if audit_id.is_empty() || !audit_id.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(Failure::usage("--audit-id: no header could hold this"));
    }
    let json = admin::fetch(gate, "/explain", &format!("Audit-ID: {audit_id}\r\n")).map_err(|why| {
        Failure::could_not_run(format!(
            "{gate}: {why}; a gate remembers some hundred requests of each worker, and only once they have ended; \
             --admin-address says which gate is asked"
        ))
    })?;
    let recalled: Recalled = serde_json::from_str(&json)
        .map_err(|error| Failure::could_not_run(format!("what answers on {gate} is no gate: {error}")))?;
    match output {
        Output::Json => exit::say(json.trim_end())?,
        Output::Table => exit::say(&text(&recalled))?,
    }
    Ok(if recalled.allowed { exit::FINE } else { exit::FINDINGS })
}

fn text(recalled: &Recalled) -> String {
    let bold = Style::new().bold();
    let question = recalled.question.as_deref().unwrap_or("a request that no audit log keeps");
    let outcome = if recalled.allowed { Outcome::Allowed } else { Outcome::Refused };
    let mut out = verdict(outcome, question);
    people(&mut out, recalled.user.as_ref(), recalled.requester.as_ref());
    let code = recalled.code.map(|code| format!(", answered {code}")).unwrap_or_default();
    out.push_str(&format!("at       {}{code}\n\n", recalled.received_at));
    recalled.layers.iter().for_each(|finding| layer(&mut out, finding));
    let Some(now) = &recalled.now else {
        out.truncate(out.trim_end().len());
        return out;
    };
    let changed = match &recalled.changed_since {
        Some(when) => format!("roles and bindings have changed since, last at {when}"),
        None => "roles and bindings are those of then".to_owned(),
    };
    out.push_str(&format!("\n{bold}Now{bold:#} ({changed})\n"));
    layer(&mut out, now);
    changes(&mut out, &now.change);
    out.truncate(out.trim_end().len());
    out
}
