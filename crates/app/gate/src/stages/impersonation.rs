//! On whose behalf?
//!
//! Nobody but the requester, for now: a request that asks to act as somebody else is refused, not
//! served as if it had not asked.

use std::sync::Arc;

use telemetry::Stripped;
use types::{Layer, Reason, Status, StatusReason, User};

use super::{StageResult, pass, refuse, request::Request, standing::Standing};
use crate::{answer::Answer, worker::Worker};

/// It is settled for whom the request is made, and no header of the client says otherwise.
pub(crate) struct Acting {
    user: Arc<User>,
}

impl Acting {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Takes every identity header off the request, and refuses it if it asks to impersonate.
pub(crate) fn decide(worker: &Worker, standing: Standing, request: &mut Request) -> StageResult<Acting> {
    let stripped = worker.gate.identity_headers.strip(&mut request.headers);
    for (how, count) in [
        (Stripped::Name, stripped.impersonate + stripped.front_proxy),
        (Stripped::Alias, stripped.aliased),
        (Stripped::Nominated, stripped.nominated),
    ] {
        for _ in 0..count {
            worker.metrics.stripped(how);
        }
    }
    if stripped.impersonate > 0 {
        let message = "impersonation is refused: this gate does not decide who may act as somebody else; \
                       send the request without Impersonate-* headers (kubectl: without --as, --as-group, --as-uid)";
        let status = Status::failure(403, StatusReason::Forbidden, message);
        return Err(refuse(
            Layer::Impersonation,
            Reason::ImpersonationRefused,
            "the request has Impersonate-* headers",
            Answer::Forbidden(status),
        ));
    }
    pass(Acting { user: standing.into_user() }, Layer::Impersonation)
}
