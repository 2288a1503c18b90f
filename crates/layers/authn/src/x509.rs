//! Client certificates: who holds the key that the TLS handshake has proved?
//!
//! The handshake judges nothing. Here the chain is built and judged as kube-apiserver does it, that
//! is as Go's `crypto/x509` does it with client authentication as the wanted usage, and the subject
//! is read as kube-apiserver reads it.
//!
//! Invariant: a certificate that does not parse has no [`Presented`], so that its connection cannot
//! be served; one that parses and does not verify is a [`Refusal`], and never nobody.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{Attempt, AuthnFailure, Identity, pem, signature::PublicKey};

mod certificate;
mod chain;
mod constraints;
pub(crate) mod der;
mod extensions;
mod general_name;
mod identity;
pub(crate) mod key;
mod mailbox;
mod name;
mod policy;
mod time;
mod uri;

pub use certificate::{BadSignature, Certificate};

/// A certificate that kube-apiserver does not parse, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("x509: {0}")]
pub struct Malformed(&'static str);

/// The certificates that a client has shown in the handshake, all of which parse. Made once a
/// connection.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// The client's own first.
    certificates: Vec<Certificate>,
}

/// Keys wider than this are refused in the handshake: verifying with them costs too much.
// UPSTREAM: Go's TLS server does so for every certificate a client sends (kube-apiserver 1.36).
const MAX_RSA_BITS: usize = 8192;

impl Presented {
    /// Reads the chain as the client sent it, in DER, its own certificate first; none at all is
    /// fine. An error must end the connection, as it ends kube-apiserver's handshake.
    pub fn parse<'a>(chain: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Malformed> {
        let mut certificates: Vec<Certificate> =
            chain.into_iter().map(Certificate::parse).collect::<Result<_, _>>()?;
        deduplicate(&mut certificates);
        if certificates.iter().filter_map(Certificate::key).any(|key| key.rsa_bits() > MAX_RSA_BITS) {
            return Err(Malformed("RSA key is larger than 8192 bits"));
        }
        if matches!(certificates.first().map(Certificate::key), Some(None | Some(PublicKey::Unusable))) {
            return Err(Malformed("client's certificate contains an unsupported type of public key"));
        }
        Ok(Self { certificates })
    }

    /// The client's own certificate, if it sent one.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// `X509SHA256=…`: how this credential is named in audit events and in lists of revoked ones.
    pub fn credential_id(&self) -> Option<String> {
        self.leaf().map(identity::credential_id)
    }
}

/// The authorities whose clients are believed: what `--client-ca-file` holds.
#[derive(Clone, Debug)]
pub struct ClientCa {
    roots: Vec<Certificate>,
}

/// A certificate that a server may show because the certificate itself is trusted, whoever has
/// signed it, as with a self-signed one that `certificate-authority` of a kubeconfig names.
#[derive(Clone, Debug)]
pub struct TrustedServer(Certificate);

impl TrustedServer {
    /// Reads one certificate in DER.
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        Certificate::parse(der).map(Self)
    }

    /// Whether it may be shown at `now`: its validity, its usage and its critical extensions, not
    /// its names. That it is a CA's is no obstacle.
    // UPSTREAM: for Go a leaf that stands among the roots is a chain by itself (kube-apiserver 1.36)
    pub fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        chain::check_trusted_server(&self.0, now)
    }
}

/// Why a bundle of client CAs cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaError {
    /// There is nothing in it.
    #[error("missing content for CA bundle")]
    Empty,
    /// There is text, but no `CERTIFICATE` block without headers.
    #[error("data does not contain any valid RSA or ECDSA certificates")]
    NoCertificate,
    /// A certificate in it does not parse; kube-apiserver would not start either.
    #[error("certificate that begins in line {line}: {error}")]
    Malformed {
        /// The line of its `BEGIN`, counted from 1.
        line: usize,
        /// What is wrong with it.
        error: Malformed,
    },
}

/// Settings that change how certificates are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The feature gate `AllowParsingUserUIDFromCertAuth`: take the UID from the subject.
    pub uid_from_subject: bool,
}

impl Default for Options {
    // UPSTREAM: the gate is on by default (kube-apiserver 1.36).
    fn default() -> Self {
        Self { uid_from_subject: true }
    }
}

/// Why a client's certificate was not accepted. The request is answered 401 unless another
/// credential is good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No chain leads to the client CA; beside it why the likeliest issuer has not signed it.
    #[error("x509: certificate signed by unknown authority{}", possibly(.0))]
    UnknownAuthority(Option<BadSignature>),
    /// A certificate of the chain has expired.
    #[error("x509: certificate has expired or is not yet valid: current time {now:.0} is after {until}")]
    Expired {
        /// When this was decided.
        now: Timestamp,
        /// Its last moment.
        until: Timestamp,
    },
    /// The validity of a certificate of the chain has not begun.
    #[error("x509: certificate has expired or is not yet valid: current time {now:.0} is before {from}")]
    NotYetValid {
        /// When this was decided.
        now: Timestamp,
        /// Its first moment.
        from: Timestamp,
    },
    /// A certificate of the chain is not for authenticating clients.
    #[error("x509: certificate specifies an incompatible key usage")]
    IncompatibleUsage,
    /// An authority of the chain may not vouch for a name in a certificate below it.
    #[error("x509: a root or intermediate certificate is not authorized to sign for this name: {0}")]
    NameConstraints(String),
    /// There are more intermediates than an authority of the chain allows.
    #[error("x509: too many intermediates for path length constraint")]
    PathLength,
    /// A certificate of the chain has a critical extension that is not understood.
    #[error("x509: unhandled critical extension")]
    UnhandledCriticalExtension,
    /// An authority of the chain demands a policy that is not given.
    #[error("x509: no valid chains built: all candidate chains have invalid policies")]
    Policies,
    /// The client sent so many look-alike certificates that the search was given up.
    #[error("x509: signature check attempts limit reached while verifying certificate chain")]
    TooManySignatureChecks,
    /// The chain is good, and the subject's UID is not.
    #[error(transparent)]
    Uid(#[from] BadUid),
}

impl Refusal {
    /// The kind of refusal, from a closed set: for metrics and for counting.
    pub const fn category(&self) -> &'static str {
        match self {
            Self::UnknownAuthority(_) | Self::TooManySignatureChecks => "unknown_authority",
            Self::Expired { .. } | Self::NotYetValid { .. } => "outside_validity",
            Self::IncompatibleUsage => "incompatible_usage",
            Self::NameConstraints(_) => "name_constraints",
            Self::PathLength => "path_length",
            Self::UnhandledCriticalExtension => "unhandled_critical_extension",
            Self::Policies => "policies",
            Self::Uid(_) => "uid",
        }
    }
}

fn possibly(hint: &Option<BadSignature>) -> String {
    hint.map_or_else(String::new, |hint| format!(" (possibly because of {:?})", hint.to_string()))
}

/// What is wrong with the UID attribute of a subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUid {
    /// It stands there several times.
    #[error("expected 1 UID, but found multiple: [{}]", .0.join(" "))]
    Several(Vec<String>),
    /// It is the empty string.
    #[error("UID cannot be an empty string")]
    Empty,
    /// It is not a string.
    #[error("unable to parse UID into a string")]
    NotAString,
}

impl ClientCa {
    /// Loads the content of a `--client-ca-file`: PEM, of which blocks other than certificates are
    /// passed over.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, CaError> {
        if bundle.is_empty() {
            return Err(CaError::Empty);
        }
        let mut roots = Vec::new();
        let is_certificate = |block: &pem::Block<'_>| block.label == b"CERTIFICATE" && !block.has_headers;
        for block in pem::blocks(bundle).into_iter().filter(is_certificate) {
            let mut rest = der::Reader::new(&block.data);
            while !rest.is_empty() {
                let certificate = Certificate::read(&mut rest)
                    .map_err(|error| CaError::Malformed { line: block.line, error })?;
                roots.push(certificate);
            }
        }
        deduplicate(&mut roots);
        if roots.is_empty() { Err(CaError::NoCertificate) } else { Ok(Self { roots }) }
    }

    /// The authorities, in the order of the file.
    pub fn certificates(&self) -> &[Certificate] {
        &self.roots
    }

    /// Decides whom the client's certificate stands for at `now`. `Ok(None)` is no opinion: no
    /// certificate was shown, or a good one that names nobody.
    ///
    /// The identity holds until [`Identity::valid_until`] and need not be worked out again for the
    /// requests of the same connection. A refusal may end with time (`NotYetValid`).
    pub fn authenticate(
        &self,
        presented: &Presented,
        now: Timestamp,
        options: Options,
    ) -> Result<Option<Identity>, Refusal> {
        let Some((leaf, intermediates)) = presented.certificates.split_first() else {
            return Ok(None);
        };
        let chains = chain::find(leaf, &self.roots, intermediates, now)?;
        let user = identity::user(leaf, options.uid_from_subject)?;
        // Each chain ends with its first certificate to expire, the identity with its last chain.
        let valid_until = chains.iter().filter_map(|chain| chain.iter().map(|c| c.not_after()).min()).max();
        Ok(user.map(|user| Identity { user: Arc::new(user), valid_until }))
    }
}

/// Keeps the first of equal certificates, as a pool of Go's does.
fn deduplicate(certificates: &mut Vec<Certificate>) {
    let mut seen = std::collections::HashSet::new();
    certificates.retain(|certificate| seen.insert(certificate.fingerprint().to_vec()));
}

impl From<Refusal> for AuthnFailure {
    fn from(refusal: Refusal) -> Self {
        Self::bad(format!("verifying certificate failed: {refusal}"))
    }
}

impl From<Result<Option<Identity>, Refusal>> for Attempt {
    fn from(outcome: Result<Option<Identity>, Refusal>) -> Self {
        match outcome {
            Ok(Some(identity)) => Self::User(identity),
            Ok(None) => Self::NoOpinion,
            Err(refusal) => Self::Failed(refusal.into()),
        }
    }
}

#[cfg(test)]
mod tests;
