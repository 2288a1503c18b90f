//! Service-account tokens, signed as kube-apiserver signs them (ES256).

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use serde::Serialize;
use types::Secret;

use super::pki::{Pki, PkiError};

/// `--service-account-issuer` of the lab, as kubeadm sets it.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// `--api-audiences` of the lab: whom a token is for that names nobody.
pub const AUDIENCE: &str = ISSUER;

/// Signs tokens with the lab's `sa.key`.
pub struct SigningKey {
    key: EcdsaKeyPair,
    /// `kid`: the hash of the public key, as kube-apiserver derives it.
    id: String,
    random: SystemRandom,
}

/// What a bound token says.
#[derive(Clone, Debug, Serialize)]
pub struct TokenClaims {
    /// For whom it is meant.
    #[serde(rename = "aud")]
    pub audiences: Vec<String>,
    /// When it ends, in seconds since 1970.
    #[serde(rename = "exp")]
    pub expires: i64,
    /// When it was signed.
    #[serde(rename = "iat")]
    pub issued: i64,
    /// `--service-account-issuer`
    #[serde(rename = "iss")]
    pub issuer: String,
    /// A number of its own.
    #[serde(rename = "jti")]
    pub id: String,
    /// What it is bound to.
    #[serde(rename = "kubernetes.io")]
    pub bound: BoundTo,
    /// When it begins.
    #[serde(rename = "nbf")]
    pub not_before: i64,
    /// `system:serviceaccount:NAMESPACE:NAME`
    #[serde(rename = "sub")]
    pub subject: String,
}

/// The objects that a token lives and dies with.
#[derive(Clone, Debug, Serialize)]
pub struct BoundTo {
    /// The service account's namespace.
    pub namespace: String,
    /// The node the pod runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Named>,
    /// The pod it was mounted into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Named>,
    /// The secret it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Named>,
    /// The service account.
    #[serde(rename = "serviceaccount")]
    pub service_account: Named,
}

/// An object by name and UID.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its UID; left out where it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

impl TokenClaims {
    /// A token of `service_account` that is valid from `now` for `seconds`.
    pub fn new(issuer: &str, audiences: Vec<String>, bound: BoundTo, now: Timestamp, seconds: i64) -> Self {
        let at = now.as_second();
        let subject = format!("system:serviceaccount:{}:{}", bound.namespace, bound.service_account.name);
        Self {
            audiences,
            expires: at.saturating_add(seconds),
            issued: at,
            issuer: issuer.to_owned(),
            id: uuid::Uuid::new_v4().to_string(),
            bound,
            not_before: at,
            subject,
        }
    }
}

impl SigningKey {
    /// Loads `sa.key` and `sa.pub`.
    pub fn load(pki: &Pki) -> Result<Self, PkiError> {
        let wrong = |name: &str, what: String| PkiError::Content { path: pki.path(name), what };
        let private = PrivatePkcs8KeyDer::from_pem_slice(pki.read("sa.key")?.as_bytes())
            .map_err(|e| wrong("sa.key", e.to_string()))?;
        let public = SubjectPublicKeyInfoDer::from_pem_slice(pki.read("sa.pub")?.as_bytes())
            .map_err(|e| wrong("sa.pub", e.to_string()))?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.secret_pkcs8_der())
            .map_err(|e| wrong("sa.key", e.to_string()))?;
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, public.as_ref()));
        Ok(Self { key, id, random: SystemRandom::new() })
    }

    /// The token that says `claims`.
    pub fn sign(&self, claims: &TokenClaims) -> Result<Secret, serde_json::Error> {
        let header = serde_json::json!({ "alg": "ES256", "kid": self.id });
        let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
        let signature = self
            .key
            .sign(&self.random, token.as_bytes())
            .map_err(|e| <serde_json::Error as serde::ser::Error>::custom(format!("cannot sign: {e}")))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(Secret::new(token))
    }
}
