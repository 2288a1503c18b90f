//! What expressions can name: one variable, by the place in the configuration where they stand.

mod access_review;
mod authentication;

use std::sync::LazyLock;

pub use self::{
    access_review::{AccessReviewSpec, NonResourceAttributes, Requirement, ResourceAttributes, Selector},
    authentication::Claims,
};
use crate::Type;

/// The variable that an expression is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// `claims` of a token: claim mappings and claim validation rules. Input: [`Claims`].
    Claims,
    /// `user`, as mapped from a token: user validation rules. Input: [`types::User`].
    User,
    /// `request`, the `SubjectAccessReviewSpec`: match conditions of webhooks. Input: [`AccessReviewSpec`].
    Request,
}

impl Environment {
    /// The variable's name.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::User => "user",
            Self::Request => "request",
        }
    }

    /// The variable's type.
    pub(crate) fn kind(self) -> &'static Type {
        static CLAIMS: LazyLock<Type> = LazyLock::new(|| Type::map(Type::String, Type::Any));
        static USER: LazyLock<Type> = LazyLock::new(|| Type::Object(&authentication::USER_INFO));
        static REQUEST: LazyLock<Type> = LazyLock::new(|| Type::Object(&access_review::SPEC));
        match self {
            Self::Claims => &CLAIMS,
            Self::User => &USER,
            Self::Request => &REQUEST,
        }
    }
}
