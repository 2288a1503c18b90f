//! Servers whose certificate is trusted by itself.

use rcgen::{BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use testkit::Authority;
use tokio::io::duplex;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{ClientSettings, ClientTls, VERSIONS, provider};

/// What a server shows that has a certificate of its own making.
struct OwnMade {
    params: CertificateParams,
    key: KeyPair,
}

impl OwnMade {
    /// As `openssl req -x509` makes them: of a CA.
    fn new() -> Self {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    fn certificate(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }
}

/// Shows `certificate` with `key`, which may be another's.
async fn shows_to(trusting: &str, certificate: &str, key: &str, server_name: &str) -> Result<(), String> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = provider().key_provider.load_private_key(key).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let ca = Pem::new("ca.crt", trusting.as_bytes());
    let client = ClientTls::new(&ClientSettings { ca, key_pair: None, server_name }).unwrap();
    let (ours, theirs) = duplex(64 * 1024);
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let (_, connected) = tokio::join!(acceptor.accept(ours), client.connect(theirs));
    connected.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_certificate_is_trusted_by_itself_if_it_is_named() {
    let own = OwnMade::new();
    let (certificate, key) = (own.certificate(), own.key.serialize_pem());
    let other = OwnMade::new();
    let authority = Authority::new("ca");
    let signed = authority.server();
    let failed = |why: &str| Err(format!("TLS handshake failed: invalid peer certificate: {why}"));

    assert_eq!(shows_to(&certificate, &certificate, &key, "localhost").await, Ok(()));
    let both = format!("{}{certificate}", authority.pem());
    assert_eq!(shows_to(&both, &certificate, &key, "localhost").await, Ok(()));
    let leaf = &signed.certificate_pem;
    assert_eq!(shows_to(leaf, leaf, &signed.key_pem, "127.0.0.1").await, Ok(()));

    let error = shows_to(&certificate, &certificate, &key, "kubernetes").await.unwrap_err();
    assert!(error.contains("not valid for name \"kubernetes\""), "{error}");
    let error = shows_to(&certificate, &certificate, &other.key.serialize_pem(), "localhost").await;
    assert_eq!(error, failed("BadSignature"));
    let error = shows_to(&other.certificate(), &certificate, &key, "localhost").await;
    assert!(error.is_err(), "another of the same name");

    let mut ended = OwnMade::new();
    ended.params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    ended.params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let mut early = OwnMade::new();
    early.params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let mut clients = OwnMade::new();
    clients.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let mut critical = OwnMade::new();
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    critical.params.custom_extensions.push(extension);
    for (bad, why) in [
        (ended, "Expired"),
        (early, "NotValidYet"),
        (clients, "InvalidPurpose"),
        (critical, "UnhandledCriticalExtension"),
    ] {
        let (certificate, key) = (bad.certificate(), bad.key.serialize_pem());
        assert_eq!(shows_to(&certificate, &certificate, &key, "localhost").await, failed(why));
    }
}
