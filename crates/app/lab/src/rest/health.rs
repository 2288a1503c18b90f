//! `/healthz`, `/livez`, `/readyz`.

use super::{Call, Reply};

/// What is checked. The lab has two things that can be well or not: itself and its store, and a store
/// that is not well ends the lab.
const CHECKS: &[&str] = &["ping", "log", "etcd"];

/// Whether `/healthz/NAME` is a page.
pub(super) fn is_check(name: &str) -> bool {
    CHECKS.contains(&name)
}

/// UPSTREAM: any method is answered (kube-apiserver 1.36).
pub(super) fn answer(call: &Call<'_>) -> Reply {
    if !call.query.has("verbose") {
        return Reply::text(200, "ok");
    }
    let page = call.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let lines: String = CHECKS.iter().map(|check| format!("[+]{check} ok\n")).collect();
    Reply::text(200, format!("{lines}{page} check passed\n"))
}
