//! Field and label selectors: what a list, watch or deletecollection narrows itself to.
//!
//! Authorizers read the requirements (the Node authorizer allows a kubelet only its own pods), the
//! lab also matches objects against them.

mod field;
mod label;

use thiserror::Error;

pub use field::{FieldOperator, FieldRequirement, FieldSelector};
pub use label::{LabelOperator, LabelRequirement, LabelSelector};

/// The parsed selectors of a request.
///
/// A selector that cannot be parsed is an error here and not a refusal: kube-apiserver hands it to
/// the authorizers, which must not read it as "no selector", and answers 400 after them.
// UPSTREAM: selectors are parsed again for authorization, apart from the list options (kube-apiserver 1.36)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectors {
    /// `?fieldSelector=`
    pub field: Result<FieldSelector, SelectorError>,
    /// `?labelSelector=`
    pub label: Result<LabelSelector, SelectorError>,
}

impl Selectors {
    /// A request without selectors, or one whose verb takes none.
    pub const NONE: Self =
        Self { field: Ok(FieldSelector::EVERYTHING), label: Ok(LabelSelector::EVERYTHING) };

    /// Parses the decoded values of the two query parameters; an empty one selects everything.
    pub fn parse(field: &str, label: &str) -> Self {
        Self { field: FieldSelector::parse(field), label: LabelSelector::parse(label) }
    }
}

impl Default for Selectors {
    fn default() -> Self {
        Self::NONE
    }
}

/// Why a selector cannot be parsed, in Kubernetes' words: they stand in the answer to the client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// A term of a field selector has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Term {
        /// The whole selector.
        selector: String,
        /// The term in question.
        term: String,
    },
    /// `\` stands before something other than `\`, `,` or `=`.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// `,` or `=` stands in a field's value without `\`.
    #[error("invalid field selector: unescaped character in value: {0}")]
    Unescaped(char),
    /// A label selector goes on, or ends, where it must not.
    #[error("found '{found}', expected: {expected}")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// One requirement of a label selector is malformed.
    #[error("unable to parse requirement: {0}")]
    Requirement(Box<Self>),
    /// A label's key or value is not valid.
    #[error("{path}: Invalid value: {value:?}: {rule}")]
    Invalid {
        /// Where in the requirement.
        path: String,
        /// The offending text.
        value: String,
        /// What is valid there.
        rule: &'static str,
    },
}
