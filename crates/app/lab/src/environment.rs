//! What surrounds the lab's API server: keys and certificates, users and their kubeconfigs, tokens.
//!
//! Everything lies in one folder:
//!
//! ```text
//! pki/ca.crt, ca.key                 signs the gate's serving certificate and the users'
//! pki/apiserver.crt, .key            what the gate shows
//! pki/sa.key, sa.pub                 signs service-account tokens
//! pki/upstream-ca.crt, .key          signs the two certificates between gate and lab
//! pki/upstream.crt, .key             what the lab's API server shows to the gate
//! pki/gate-client.crt, .key          what the gate shows to the lab's API server
//! kubeconfigs/NAME.yaml              one a user
//! upstream.yaml                      the gate's own kubeconfig
//! ```

mod files;
pub mod kubeconfig;
pub mod pki;
pub mod token;
pub mod users;

pub use pki::{Pki, PkiError};
pub use token::{SigningKey, TokenClaims};
