//! The kubeconfig files of the lab's users.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use types::Secret;

use super::pki::Credential;

/// With what a user shows who they are.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A client certificate.
    Certificate(Credential),
    /// A bearer token.
    Token(Secret),
}

/// Writes a kubeconfig that needs no other file.
pub fn kubeconfig(server: &str, ca_pem: &str, user: &str, namespace: &str, proof: &Proof) -> String {
    let mut text = format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: portcullis-lab\n\
         \x20 cluster:\n\
         \x20   server: {server}\n\
         \x20   certificate-authority-data: {ca}\n\
         contexts:\n\
         - name: {user}@portcullis-lab\n\
         \x20 context:\n\
         \x20   cluster: portcullis-lab\n\
         \x20   user: {user}\n\
         \x20   namespace: {namespace}\n\
         current-context: {user}@portcullis-lab\n\
         users:\n\
         - name: {user}\n\
         \x20 user:\n",
        ca = STANDARD.encode(ca_pem),
    );
    // Writing to a String cannot fail.
    let _ = match proof {
        Proof::Certificate(credential) => writeln!(
            text,
            "    client-certificate-data: {}\n    client-key-data: {}",
            STANDARD.encode(&credential.certificate),
            STANDARD.encode(credential.key.expose())
        ),
        Proof::Token(token) => writeln!(text, "    token: {}", token.expose()),
    };
    text
}
