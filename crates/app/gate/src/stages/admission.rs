//! Layer 5, second half: is it too much of this kind?

use std::sync::Arc;

use types::{Layer, Reason, User};

use super::{Outcome, authz::Permitted, pass_because};

/// Every layer has let the request pass.
pub(crate) struct Accepted {
    user: Arc<User>,
}

impl Accepted {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// No admission plugin is configured, so nothing is held against the request.
pub(crate) fn admit(permitted: Permitted) -> Outcome<Accepted> {
    let accepted = Accepted { user: permitted.into_user() };
    pass_because(accepted, Layer::Admission, Reason::NotConfigured, "")
}
