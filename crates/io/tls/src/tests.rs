//! Handshakes over memory, with clients of every kind.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use rcgen::{CertificateParams, CustomExtension, SignatureAlgorithm};
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    client::ResolvesClientCert,
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{PrivateKeyDer, ServerName, pem::PemObject as _};
use testkit::{Authority, Certified, Spec};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio_rustls::TlsConnector;

use super::*;

fn key_pair(of: &Certified) -> KeyPair {
    KeyPair::from_pem(
        Pem::new("tls.crt", of.certificate_pem.as_bytes()),
        Pem::new("tls.key", of.key_pem.as_bytes()),
    )
    .unwrap()
}

/// A gate that asks for certificates and hints at `hint`.
fn server(authority: &Authority, hint: Option<&str>) -> ServerTls {
    let ca = hint.map(|text| Pem::new("client-ca.crt", text.as_bytes()));
    ServerTls::new(&ServerSettings {
        key_pair: key_pair(&authority.server()),
        client_certificates: ClientCertificates::Asked { ca },
    })
    .unwrap()
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    roots
}

/// Shows a certificate whatever the server wants, and remembers what it hinted at.
#[derive(Debug, Default)]
struct Shows {
    pair: Option<Arc<CertifiedKey>>,
    hints: AtomicUsize,
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.hints.store(hints.len(), Ordering::SeqCst);
        self.pair.clone()
    }

    fn has_certs(&self) -> bool {
        self.pair.is_some()
    }
}

fn client_config(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    shows: Arc<Shows>,
) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots(authority))
        .with_client_cert_resolver(shows);
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Shakes hands and sends one byte back and forth, so that tickets arrive.
async fn connect(
    server: &ServerTls,
    client: &Arc<ClientConfig>,
) -> Result<ServerStream<DuplexStream>, HandshakeError> {
    let (ours, theirs) = duplex(64 * 1024);
    let name = ServerName::try_from("localhost").unwrap();
    let asking = async {
        let mut stream = TlsConnector::from(Arc::clone(client)).connect(name, theirs).await?;
        stream.write_all(b"?").await?;
        stream.read_u8().await?;
        Ok::<_, io::Error>(stream)
    };
    let answering = async {
        let mut stream = server.accept(ours).await?;
        stream.read_u8().await.map_err(HandshakeError::from_io)?;
        stream.write_all(b"!").await.map_err(HandshakeError::from_io)?;
        Ok(stream)
    };
    tokio::join!(answering, asking).0
}

fn shows(chain: Vec<CertificateDer<'static>>, key_pem: &str) -> Arc<Shows> {
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
    let signer = provider().key_provider.load_private_key(key).unwrap();
    Arc::new(Shows { pair: Some(Arc::new(CertifiedKey::new(chain, signer))), ..Shows::default() })
}

fn shows_certified(certified: &Certified) -> Arc<Shows> {
    let leaf = CertificateDer::from_pem_slice(certified.certificate_pem.as_bytes()).unwrap();
    shows(vec![leaf], &certified.key_pem)
}

/// A self-signed certificate of this kind of key, with an extension that nobody knows.
fn stranger(algorithm: &'static SignatureAlgorithm) -> (CertificateDer<'static>, String) {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::default();
    let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    unknown.set_criticality(true);
    params.custom_extensions.push(unknown);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().clone(), key.serialize_pem())
}

#[tokio::test]
async fn any_certificate_is_accepted_if_its_key_is_there() {
    let authority = Authority::new("ca");
    let server = server(&authority, None);
    for version in [&TLS12, &TLS13] {
        for algorithm in [
            &rcgen::PKCS_RSA_SHA256,
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ECDSA_P521_SHA512,
            &rcgen::PKCS_ED25519,
        ] {
            let (leaf, key) = stranger(algorithm);
            let client = Arc::new(client_config(&authority, version, shows(vec![leaf.clone()], &key)));
            let stream = connect(&server, &client).await.unwrap();
            assert_eq!(stream.peer_certificates(), [leaf], "{algorithm:?} {version:?}");
        }
        let expired = authority.client(&Spec { expired: true, for_servers: true, ..Spec::default() });
        let client = Arc::new(client_config(&authority, version, shows_certified(&expired)));
        assert_eq!(connect(&server, &client).await.unwrap().peer_certificates().len(), 1);
    }
}

#[tokio::test]
async fn nobody_has_to_show_one() {
    let authority = Authority::new("ca");
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(client_config(&authority, version, Arc::default()));
        let stream = connect(&server(&authority, None), &client).await.unwrap();
        assert!(stream.peer_certificates().is_empty());
        let expected = if version.version == TLS12.version { TlsVersion::V1_2 } else { TlsVersion::V1_3 };
        assert_eq!((stream.version(), stream.alpn()), (expected, Alpn::Http2));
        assert_eq!(stream.server_name(), Some("localhost"));
        assert!(!stream.resumed());
    }
}

#[tokio::test]
async fn somebody_elses_certificate_is_no_use() {
    let authority = Authority::new("ca");
    let server = server(&authority, None);
    let theirs = authority.client(&Spec { common_name: Some("admin"), ..Spec::default() });
    let mine = authority.client(&Spec { common_name: Some("mallory"), ..Spec::default() });
    let mixed = Certified { certificate_pem: theirs.certificate_pem, key_pem: mine.key_pem };
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(client_config(&authority, version, shows_certified(&mixed)));
        let error = connect(&server, &client).await.unwrap_err();
        assert_eq!(error.to_string(), "TLS handshake failed: invalid peer certificate: BadSignature");
        assert_eq!(error.label(), "protocol");
    }
}

#[tokio::test]
async fn what_is_no_certificate_ends_the_handshake() {
    let authority = Authority::new("ca");
    let server = server(&authority, None);
    let good = authority.client(&Spec::default());
    let leaf = CertificateDer::from_pem_slice(good.certificate_pem.as_bytes()).unwrap();
    for version in [&TLS12, &TLS13] {
        for chain in
            [vec![CertificateDer::from(vec![0; 40])], vec![leaf.clone(), CertificateDer::from(vec![1])]]
        {
            let client = Arc::new(client_config(&authority, version, shows(chain, &good.key_pem)));
            let error = connect(&server, &client).await.unwrap_err();
            assert_eq!(error.to_string(), "TLS handshake failed: invalid peer certificate: BadEncoding");
        }
    }
}

#[tokio::test]
async fn a_resumed_connection_has_the_certificates_of_the_first() {
    let authority = Authority::new("ca");
    let server = server(&authority, None);
    let jane = authority.client(&Spec { common_name: Some("jane"), ..Spec::default() });
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(client_config(&authority, version, shows_certified(&jane)));
        let first = connect(&server, &client).await.unwrap();
        let again = connect(&server, &client).await.unwrap();
        assert_eq!((first.resumed(), again.resumed()), (false, true), "{version:?}");
        assert_eq!(first.peer_certificates().len(), 1);
        assert_eq!(first.peer_certificates(), again.peer_certificates());
    }
}

#[tokio::test]
async fn clients_are_told_whose_certificates_are_wanted() {
    let authority = Authority::new("ca");
    let others = [Authority::new("one"), Authority::new("two")];
    let bundle: String = others.iter().map(Authority::pem).collect();
    let jane = authority.client(&Spec::default());
    for (hint, count) in [(None, 0), (Some(bundle.as_str()), 2)] {
        let shows = shows_certified(&jane);
        let client = Arc::new(client_config(&authority, &TLS13, Arc::clone(&shows)));
        connect(&server(&authority, hint), &client).await.unwrap();
        assert_eq!(shows.hints.load(Ordering::SeqCst), count);
    }
}

#[tokio::test]
async fn new_settings_hold_from_the_next_handshake_on() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = server(&old, None);
    let client = Arc::new(client_config(&new, &TLS13, Arc::default()));
    assert!(connect(&server, &client).await.is_err());
    let key_pair = key_pair(&new.server());
    server.replace(&ServerSettings { key_pair, client_certificates: ClientCertificates::NotAsked }).unwrap();
    connect(&server, &client).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_leaves_or_talks_nonsense() {
    let authority = Authority::new("ca");
    let server = server(&authority, None);
    let (ours, theirs) = duplex(1024);
    drop(theirs);
    assert_eq!(server.accept(ours).await.unwrap_err().label(), "closed");
    let (ours, mut theirs) = duplex(1024);
    theirs.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(server.accept(ours).await.unwrap_err().label(), "protocol");
}

/// The way upstream: who is trusted, and by what name.
#[tokio::test]
async fn the_server_is_always_judged() {
    let (authority, other) = (Authority::new("ca"), Authority::new("other"));
    let server = server(&authority, None);
    let jane = authority.client(&Spec { common_name: Some("jane"), ..Spec::default() });
    let connect = async |ca: &Authority, server_name: &str| {
        let tls = ClientTls::new(&ClientSettings {
            ca: Pem::new("ca.crt", ca.pem().as_bytes()),
            key_pair: Some(key_pair(&jane)),
            server_name,
        })
        .unwrap();
        let (ours, theirs) = duplex(64 * 1024);
        let (accepted, connected) = tokio::join!(server.accept(ours), tls.connect(theirs));
        connected.map(|_| accepted.unwrap())
    };
    for name in ["localhost", "127.0.0.1", "::1"] {
        let accepted = connect(&authority, name).await.unwrap();
        assert_eq!((accepted.peer_certificates().len(), accepted.alpn()), (1, Alpn::Http1));
    }
    let error = connect(&other, "localhost").await.unwrap_err().to_string();
    assert_eq!(error, "TLS handshake failed: invalid peer certificate: UnknownIssuer");
    let error = connect(&authority, "kubernetes").await.unwrap_err().to_string();
    assert!(error.contains("not valid for name \"kubernetes\""), "{error}");
    let bad_name = ClientTls::new(&ClientSettings {
        ca: Pem::new("ca.crt", authority.pem().as_bytes()),
        key_pair: None,
        server_name: "no name",
    });
    assert_eq!(bad_name.unwrap_err().to_string(), "`no name` is neither a DNS name nor an IP address");
}

#[test]
fn errors_name_the_file_and_what_was_expected() {
    let authority = Authority::new("ca");
    let (one, two) = (authority.server(), authority.server());
    let load = |certificate: &str, key: &str| {
        let pair = KeyPair::from_pem(
            Pem::new("tls.crt", certificate.as_bytes()),
            Pem::new("tls.key", key.as_bytes()),
        );
        pair.map(drop).map_err(|error| error.to_string())
    };
    let (certificate, key) = (one.certificate_pem.as_str(), one.key_pem.as_str());
    let truncated = certificate.lines().next().unwrap();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted_of_old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert_eq!(load(certificate, key), Ok(()));
    assert_eq!(load(&format!("{certificate}{key}"), &format!("{certificate}{key}")), Ok(()));
    for (certificate, key, expected) in [
        (key, key, "tls.crt: no certificate: expected a `-----BEGIN CERTIFICATE-----` block"),
        ("", key, "tls.crt: no certificate"),
        (certificate, certificate, "tls.key: no private key: expected a `-----BEGIN PRIVATE KEY-----` block"),
        (
            certificate,
            two.key_pem.as_str(),
            "tls.key: the private key does not match the first certificate of tls.crt",
        ),
        (certificate, encrypted, "tls.key: the private key is encrypted"),
        (certificate, encrypted_of_old, "tls.key: the private key is encrypted"),
        (certificate, no_key, "tls.key: unusable private key"),
        (truncated, key, "tls.crt: malformed PEM: `-----END CERTIFICATE-----` is missing"),
    ] {
        let error = load(certificate, key).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Counts how often it is read from.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_full_record_is_read_at_once() {
    let authority = Authority::new("ca");
    let server = server(&authority, None);
    let (ours, theirs) = duplex(1024 * 1024);
    let reads = Arc::new(AtomicUsize::new(0));
    let client = Arc::new(client_config(&authority, &TLS13, Arc::default()));
    let connector = TlsConnector::from(client);
    let name = ServerName::try_from("localhost").unwrap();
    let (accepted, connected) =
        tokio::join!(server.accept(Counted(ours, Arc::clone(&reads))), connector.connect(name, theirs));
    let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
    let sent: Vec<u8> = (0..512 * 1024_u32).map(|n| n.to_le_bytes()[1]).collect();
    connected.write_all(&sent).await.unwrap();
    let before = reads.load(Ordering::SeqCst);
    let mut received = vec![0; sent.len()];
    accepted.read_exact(&mut received).await.unwrap();
    assert!(received == sent, "what arrives is what was sent");
    let took = reads.load(Ordering::SeqCst) - before;
    assert!(took <= 33, "32 records took {took} reads");
}
