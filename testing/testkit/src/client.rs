//! A TLS client that sends bytes as they are.

use std::{
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};

use crate::{Certified, Message};

/// Nothing a test waits for takes longer; a hang is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// One TLS connection.
pub struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Head and body as they came.
    pub message: Message,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message.body).into_owned()
    }
}

impl Client {
    /// Connects, trusting `ca_pem`, and shows `certificate` when asked.
    pub fn connect(address: SocketAddr, ca_pem: &str, certificate: Option<&Certified>) -> io::Result<Self> {
        Self::connect_with(address, ca_pem, certificate, &[])
    }

    /// As [`Client::connect`], offering these protocols by ALPN.
    pub fn connect_with(
        address: SocketAddr,
        ca_pem: &str,
        certificate: Option<&Certified>,
        alpn: &[&str],
    ) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => config.with_no_client_auth(),
            Some(certified) => {
                let chain = CertificateDer::pem_slice_iter(certified.certificate_pem.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .unwrap();
                let key = PrivateKeyDer::from_pem_slice(certified.key_pem.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(StreamOwned::new(tls, tcp)) })
    }

    /// Sends bytes, whatever they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())?;
        self.stream.get_mut().flush()
    }

    /// Reads one answer with its body. `head_only` for the answer to a HEAD request.
    pub fn receive(&mut self, head_only: bool) -> io::Result<Response> {
        let mut message = Message::read_head(&mut self.stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = message
            .line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, message.line.clone()))?;
        if !head_only && !matches!(status, 100..200 | 204 | 304) {
            message.read_body(&mut self.stream, true)?;
        }
        Ok(Response { status, message })
    }

    /// Reads the head of an answer whose body goes on for long; [`Client::stream`] has the rest.
    pub fn receive_head(&mut self) -> io::Result<Response> {
        self.receive(true)
    }

    /// Sends a request and reads its answer.
    pub fn roundtrip(&mut self, request: impl AsRef<[u8]>) -> io::Result<Response> {
        let request = request.as_ref();
        self.send(request)?;
        self.receive(request.starts_with(b"HEAD "))
    }

    /// The rest of the stream: for upgrades, watches and the end.
    pub fn stream(&mut self) -> &mut (impl Read + use<>) {
        &mut self.stream
    }
}
