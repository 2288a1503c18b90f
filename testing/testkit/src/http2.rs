//! An HTTP/2 client.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{net::TcpStream, runtime::Builder};
use tokio_rustls::TlsConnector;

/// What came back on one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http2Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body, as text.
    pub body: String,
}

/// Method, target and headers of a request.
pub type Http2Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// Sends requests one after another on one HTTP/2 connection.
pub fn http2(address: SocketAddr, ca_pem: &str, requests: &[Http2Request<'_>]) -> Vec<Http2Response> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut responses = Vec::new();
        for (method, target, headers) in requests {
            let mut request = Request::new(Empty::<Bytes>::new());
            *request.method_mut() = Method::try_from(*method).unwrap();
            *request.uri_mut() = format!("https://localhost{target}").parse().unwrap();
            for (name, value) in *headers {
                let (name, value) = (HeaderName::try_from(*name), HeaderValue::try_from(*value));
                request.headers_mut().append(name.unwrap(), value.unwrap());
            }
            let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let body = body.collect().await.unwrap().to_bytes();
            responses.push(Http2Response {
                status: parts.status.as_u16(),
                headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                body: String::from_utf8_lossy(&body).into_owned(),
            });
        }
        responses
    })
}
