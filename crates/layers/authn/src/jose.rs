//! Signed tokens in compact form: `header.payload.signature`.
//!
//! Reading and verifying follow go-jose 2.6, which kube-apiserver reads service-account tokens
//! with, down to its corners. The key is never chosen by the token: a header can only name one of
//! the keys that the caller trusts.
// UPSTREAM: kube-apiserver 1.36 refuses a token with a malformed `jwk` or `x5c` header and
// otherwise ignores both; here no key verifies a token with either. No Kubernetes token has one.

use base64::Engine;

use crate::{
    bearer::BASE64_URL,
    der_writer,
    json::{Object, Value},
    signature::{Hash, PublicKey, Scheme, verify},
};

/// A token that can be read. Nothing in it is to be believed before [`Jws::verify`].
pub(crate) struct Jws {
    scheme: Option<Scheme>,
    /// Whether every extension that must be understood (`crit`) is, and no key or certificate is
    /// sent along.
    understood: bool,
    /// `kid`: which key the token names; empty for none.
    pub(crate) key_id: String,
    /// What is signed.
    message: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Jws {
    /// Reads a token. White space in it plays no part.
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let token: String = token.chars().filter(|c| !c.is_whitespace()).collect();
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let decode = |part: &str| BASE64_URL.decode(part).ok();
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);

        // No header at all is no reason not to read the token, but no key will verify it.
        let fields = if header.is_empty() { Value::Null } else { Value::parse(&header)? };
        let fields = Object::of(&fields).ok()?;
        let malformed = fields.iter().any(|(name, value)| match name {
            "kid" | "alg" | "nonce" => !matches!(value, Value::String(_) | Value::Null),
            _ => value.has_duplicate_keys(),
        });
        if malformed {
            return None;
        }

        // What is signed is the canonical encoding of header and payload. An unencoded payload
        // (RFC 7797) is understood.
        let mut message = BASE64_URL.encode(&header).into_bytes();
        message.push(b'.');
        match fields.get("b64") {
            Some(Value::Bool(false)) => message.extend_from_slice(&payload),
            _ => message.extend_from_slice(BASE64_URL.encode(&payload).as_bytes()),
        }
        Some(Self {
            scheme: fields.string("alg").ok().and_then(scheme),
            understood: fields.get("crit").is_none_or(understands)
                && fields.get("jwk").is_none()
                && fields.get("x5c").is_none(),
            key_id: fields.string("kid").ok()?.to_owned(),
            message,
            payload,
            signature,
        })
    }

    /// The payload, if the holder of `key` signed it.
    pub(crate) fn verify(&self, key: &PublicKey) -> Option<&[u8]> {
        if !self.understood {
            return None;
        }
        let scheme = self.scheme?;
        let verified = match scheme {
            Scheme::Ecdsa(hash) => verify(key, scheme, &self.message, &ecdsa_der(hash, &self.signature)?),
            _ => verify(key, scheme, &self.message, &self.signature),
        };
        verified.is_ok().then_some(self.payload.as_slice())
    }
}

/// The issuer that `token` claims for itself, to find out whose token it is before anything is
/// verified. `None`: not a token of this kind.
// UPSTREAM: this look is taken with Go's encoding/json: case plays no part in the key and the last
// of several wins, while the verified claims are case-sensitive and must not repeat a key. No
// white space but line ends is passed over in the payload (kube-apiserver 1.36)
pub(crate) fn unverified_issuer(token: &str) -> Option<String> {
    if token.trim().starts_with('{') {
        return None;
    }
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload: String = payload.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let mut issuer = String::new();
    match Value::parse(&BASE64_URL.decode(payload).ok()?)? {
        Value::Null => {}
        Value::Object(members) => {
            for (key, value) in members {
                // U+017F is the one letter beyond ASCII that Go folds into `iss`.
                if !key.replace('\u{17f}', "s").eq_ignore_ascii_case("iss") {
                    continue;
                }
                match value {
                    Value::String(text) => issuer = text,
                    Value::Null => {}
                    _ => return None,
                }
            }
        }
        _ => return None,
    }
    Some(issuer)
}

fn scheme(algorithm: &str) -> Option<Scheme> {
    Some(match algorithm {
        "RS256" => Scheme::RsaPkcs1(Hash::Sha256),
        "RS384" => Scheme::RsaPkcs1(Hash::Sha384),
        "RS512" => Scheme::RsaPkcs1(Hash::Sha512),
        "PS256" => Scheme::RsaPss(Hash::Sha256),
        "PS384" => Scheme::RsaPss(Hash::Sha384),
        "PS512" => Scheme::RsaPss(Hash::Sha512),
        "ES256" => Scheme::Ecdsa(Hash::Sha256),
        "ES384" => Scheme::Ecdsa(Hash::Sha384),
        "ES512" => Scheme::Ecdsa(Hash::Sha512),
        _ => return None,
    })
}

/// Whether `crit` names nothing but the one extension that is understood.
fn understands(critical: &Value) -> bool {
    match critical {
        Value::Array(names) => names.iter().all(|name| *name == Value::String("b64".into())),
        _ => false,
    }
}

/// An ECDSA signature of two numbers of fixed length as the DER that verifiers take.
// UPSTREAM: the length follows from the algorithm, not from the key (kube-apiserver 1.36)
fn ecdsa_der(hash: Hash, signature: &[u8]) -> Option<Vec<u8>> {
    let length = match hash {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 66,
    };
    if signature.len() != 2 * length {
        return None;
    }
    let (r, s) = signature.split_at_checked(length)?;
    Some(der_writer::sequence(&[der_writer::unsigned(r), der_writer::unsigned(s)]))
}
