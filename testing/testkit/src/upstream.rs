//! An API server that remembers what reached it and answers as it is told.

use std::{
    io::{self, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use socket2::SockRef;

use crate::{Authority, Certified, Folder, Message, Spec};

/// What to answer to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These bytes, as they are; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, then the connection is closed.
    Last(Vec<u8>),
    /// These bytes (a 101), then every byte that comes is sent back.
    Echo(Vec<u8>),
    /// Nothing: the connection is reset.
    Reset,
}

impl Reply {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self::Bytes([head.as_bytes(), body.as_bytes()].concat())
    }
}

type Answer = dyn Fn(&Message) -> Reply + Send + Sync;

/// A TLS server on loopback that asks for the gate's certificate.
pub struct Upstream {
    address: SocketAddr,
    authority: Arc<Authority>,
    seen: Arc<Mutex<Vec<Message>>>,
    stopped: Arc<AtomicBool>,
    folder: Folder,
}

impl Upstream {
    /// Starts one that answers as `answer` says.
    pub fn start(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        let authority = Arc::new(Authority::new("upstream-ca"));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let server = authority.server();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(server.certificate_pem.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (config, answer): (_, Arc<Answer>) = (Arc::new(config), Arc::new(answer));
        thread::spawn({
            let (seen, stopped) = (seen.clone(), stopped.clone());
            move || {
                for tcp in listener.incoming().flatten() {
                    if stopped.load(Ordering::Acquire) {
                        return;
                    }
                    let (config, answer, seen) = (config.clone(), answer.clone(), seen.clone());
                    // A connection that breaks off is the gate's business, which the test judges.
                    thread::spawn(move || drop(serve(tcp, config, &*answer, &seen)));
                }
            }
        });
        Self { address, authority, seen, stopped, folder: Folder::new() }
    }

    /// Starts one that answers 200 and `{}` to everything.
    pub fn that_says_yes() -> Self {
        Self::start(|_| Reply::json(200, "{}"))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig for it, with a client certificate that it accepts. The files it names live as
    /// long as this value.
    pub fn kubeconfig(&self) -> String {
        let Certified { certificate_pem, key_pem } =
            self.authority.client(&Spec { common_name: Some("portcullis-gate"), ..Spec::default() });
        let write = |name: &str, content: &str| self.folder.write(name, content).display().to_string();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: upstream\n\
             clusters:\n- name: upstream\n  cluster:\n    server: https://{}\n    certificate-authority: {}\n\
             users:\n- name: gate\n  user:\n    client-certificate: {}\n    client-key: {}\n\
             contexts:\n- name: upstream\n  context: {{cluster: upstream, user: gate}}\n",
            self.address,
            write("ca.crt", self.authority.pem()),
            write("client.crt", &certificate_pem),
            write("client.key", &key_pem),
        )
    }

    /// Every request that has reached it.
    pub fn seen(&self) -> Vec<Message> {
        self.seen.lock().clone()
    }

    /// Forgets what has reached it, and returns it.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.seen.lock())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the listener so that it sees the flag.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    answer: &Answer,
    seen: &Mutex<Vec<Message>>,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(tls, tcp));
    while let Some(mut message) = Message::read_head(&mut stream)? {
        message.read_body(&mut stream, false)?;
        seen.lock().push(message.clone());
        match answer(&message) {
            Reply::Bytes(bytes) => stream.get_mut().write_all(&bytes)?,
            Reply::Last(bytes) => {
                stream.get_mut().write_all(&bytes)?;
                stream.get_mut().conn.send_close_notify();
                return stream.get_mut().flush();
            }
            Reply::Reset => {
                let tcp = SockRef::from(&stream.get_ref().sock);
                return tcp.set_linger(Some(Duration::ZERO));
            }
            Reply::Echo(bytes) => {
                stream.get_mut().write_all(&bytes)?;
                stream.get_mut().flush()?;
                let mut buffer = [0; 4096];
                loop {
                    let read = stream.read(&mut buffer)?;
                    if read == 0 {
                        return Ok(());
                    }
                    stream.get_mut().write_all(buffer.split_at(read).0)?;
                    stream.get_mut().flush()?;
                }
            }
        }
        stream.get_mut().flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Client;

    #[test]
    fn remembers_and_answers() {
        let upstream = Upstream::start(|request| match request.line.as_str() {
            "GET /last HTTP/1.1" => Reply::Last(b"HTTP/1.1 200 OK\r\n\r\nto the end".to_vec()),
            _ => Reply::json(201, "{}"),
        });
        let certified = upstream.authority.client(&Spec { common_name: Some("gate"), ..Spec::default() });
        let mut client =
            Client::connect(upstream.address(), upstream.authority.pem(), Some(&certified)).unwrap();
        let request = "POST /a#b HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(client.roundtrip(request).unwrap().status, 201);
        assert_eq!(client.roundtrip("GET /last HTTP/1.1\r\n\r\n").unwrap().text(), "to the end");
        let seen = upstream.take();
        assert_eq!(seen[0].line, "POST /a#b HTTP/1.1");
        assert_eq!(seen[0].header_values("X-a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(seen[0].body, b"hi");
        assert_eq!((seen.len(), upstream.seen().len()), (2, 0));
    }
}
