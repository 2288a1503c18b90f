//! The vocabulary of Portcullis: who asks, for what, and what a layer says to it.
//!
//! Everything here is data. Nothing reads a clock, a file or a socket; time and answers from
//! outside come in as parameters, so that the gate, `explain`, a replay and a recorded vector all
//! run the same code.

mod attributes;
pub mod dns_name;
pub mod duration;
mod evidence;
pub mod json;
mod media;
mod printable;
mod question;
mod quote;
mod request_kind;
mod secret;
pub mod selector;
mod status;
mod user;
mod verdict;

pub use attributes::{Attributes, qualified_resource};
pub use evidence::{Evidence, Grant, ObjectName};
pub use jiff::Timestamp;
pub use media::MediaType;
pub use printable::is_unprintable;
pub use question::{
    AccessFailure, AccessReview, AccessStatus, Answer, Answers, FailureClass, ObjectFacts, ObjectKind,
    ObjectRef, Question, Step,
};
pub use quote::{quote, quote_list};
pub use request_kind::RequestKind;
pub use secret::Secret;
pub use status::{Cause, Status, StatusDetails, StatusReason};
pub use user::{User, extra, group, username};
pub use verdict::{Decision, Layer, NoTrace, Reason, Trace, Verdict};
