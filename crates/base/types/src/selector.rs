//! Field and label selectors.

/// The parsed selectors of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {}
