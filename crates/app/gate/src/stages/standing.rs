//! Is the requester itself shut out?

use std::sync::Arc;

use types::{Layer, Reason, User};

use super::{StageResult, audit::Begun, pass, refuse, request::Request};
use crate::{answer::Answer, worker::Worker};

/// Nothing is held against the requester.
pub(crate) struct Standing {
    user: Arc<User>,
}

impl Standing {
    /// Who asks.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Asks the deny list about the requester, before anybody else's name comes up.
pub(crate) fn check(worker: &Worker, begun: Begun, request: &Request) -> StageResult<Standing> {
    let user = begun.into_user();
    match worker.gate.authorizers.load().chain.standing(&user) {
        None => pass(Standing { user }, Layer::Standing),
        Some(why) => {
            let status = ::authz::forbidden(&request.info.attributes(&user), &why);
            Err(refuse(Layer::Standing, Reason::DeniedUser, why, Answer::Forbidden(status)))
        }
    }
}
