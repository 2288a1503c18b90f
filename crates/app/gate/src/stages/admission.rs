//! Layer 5, second half: is it too much of this kind?

use std::sync::Arc;

use types::{Layer, Reason, User};

use super::{StageResult, authz::Permitted, pass_because};

/// Every layer has let the request pass.
pub(crate) struct Admitted {
    user: Arc<User>,
}

impl Admitted {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// No admission plugin is configured, so nothing is held against the request.
pub(crate) fn admit(permitted: Permitted) -> StageResult<Admitted> {
    let admitted = Admitted { user: permitted.into_user() };
    pass_because(admitted, Layer::Admission, Reason::NotConfigured, "")
}
