//! Layer 3: who is asking?
//!
//! Every kind of credential that kube-apiserver takes is judged here as kube-apiserver 1.36 judges
//! it. Nothing here reads a clock or a socket: `now` is a parameter, and objects that a token names
//! are asked for through [`types::Question`].
//!
//! Invariant: a credential that was shown and is not good never makes an anonymous request.
//! Invariant: a credential that cannot be judged is not accepted.

mod anonymous;
mod attempt;
pub mod bearer;
mod chain;
mod der_writer;
#[cfg(test)]
mod fuzz;
mod jose;
mod json;
pub mod pem;
mod service_account;
pub mod signature;
mod static_tokens;
mod token;
pub mod x509;

pub use anonymous::Anonymous;
pub use attempt::{Attempt, Authenticated, AuthnFailure, Consumed, Identity, Remarks, Unauthorized};
pub use chain::{Authn, Credentials};
pub use service_account::{NoKeys, ServiceAccountKeys, ServiceAccounts};
pub use static_tokens::{StaticTokens, TokenFileError, TokenFileProblem};
pub use token::{NoMemory, TokenAnswer, TokenMemory, TokenUser};
