//! What is asked and not kept. Who answers is [`crate::rest::Reviewer`].

use k8s_openapi::api::{authentication::v1 as authentication, authorization::v1 as authorization};

use super::{Kind, Review, define};

const AUTHN: &str = "authentication.k8s.io";
const AUTHZ: &str = "authorization.k8s.io";

pub(super) const AUTHENTICATION: &[Kind] = &[
    Kind::asked(
        AUTHN,
        "selfsubjectreviews",
        "selfsubjectreview",
        "SelfSubjectReview",
        Review::SelfSubjectReview,
        define::<authentication::SelfSubjectReview>(),
    ),
    Kind::asked(
        AUTHN,
        "tokenreviews",
        "tokenreview",
        "TokenReview",
        Review::TokenReview,
        define::<authentication::TokenReview>(),
    ),
];

pub(super) const AUTHORIZATION: &[Kind] = &[
    Kind {
        namespaced: true,
        ..Kind::asked(
            AUTHZ,
            "localsubjectaccessreviews",
            "localsubjectaccessreview",
            "LocalSubjectAccessReview",
            Review::LocalSubjectAccessReview,
            define::<authorization::LocalSubjectAccessReview>(),
        )
    },
    Kind::asked(
        AUTHZ,
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        "SelfSubjectAccessReview",
        Review::SelfSubjectAccessReview,
        define::<authorization::SelfSubjectAccessReview>(),
    ),
    Kind::asked(
        AUTHZ,
        "selfsubjectrulesreviews",
        "selfsubjectrulesreview",
        "SelfSubjectRulesReview",
        Review::SelfSubjectRulesReview,
        define::<authorization::SelfSubjectRulesReview>(),
    ),
    Kind::asked(
        AUTHZ,
        "subjectaccessreviews",
        "subjectaccessreview",
        "SubjectAccessReview",
        Review::SubjectAccessReview,
        define::<authorization::SubjectAccessReview>(),
    ),
];
