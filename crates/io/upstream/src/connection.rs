//! One upstream, and how a connection to it comes about.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use config::{ClusterAccess, PemText};
use http::{HeaderMap, HeaderValue, header};
use socket2::{SockRef, TcpKeepalive};
use tls::{ClientSettings, ClientStream, ClientTls, KeyPair, Pem, PemError};
use tokio::net::TcpStream;

use crate::{
    credential::Credential,
    error::{SendError, UpstreamError},
};

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// A connection that was idle for longer is not used again.
    ///
    /// UPSTREAM: the server closes a connection after 90 s idle (kube-apiserver 1.36); one that is
    /// used at the last moment loses a request.
    pub idle_timeout: Duration,
    /// Idle connections that a pool keeps; more are closed.
    pub max_idle: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), idle_timeout: Duration::from_secs(45), max_idle: 64 }
    }
}

/// An API server and the gate's own credential for it. All workers share one; each has its own
/// [`Pool`](crate::Pool).
#[derive(Debug)]
pub struct Upstream {
    host: String,
    port: u16,
    /// `Host` of every request: upstream sees its own name, not the one that the client used.
    authority: HeaderValue,
    tls: ClientTls,
    credential: Credential,
    pub(crate) limits: Limits,
}

impl Upstream {
    /// Checks certificates, keys and the token; connects to nobody yet.
    pub fn new(access: &ClusterAccess, limits: Limits) -> Result<Self, UpstreamError> {
        let key_pair = access.client_certificate.as_ref().map(key_pair).transpose();
        let tls = ClientTls::new(&ClientSettings {
            ca: pem(&access.ca),
            key_pair: key_pair.map_err(tls::ClientTlsError::from)?,
            server_name: access.tls_server_name.as_ref().unwrap_or(&access.host),
        })?;
        let credential = Credential::new(access.token.as_ref())
            .ok_or_else(|| UpstreamError::Token { origin: access.origin.clone() })?;
        let authority = HeaderValue::try_from(authority(&access.host, access.port))
            .map_err(|_| UpstreamError::Host { origin: access.origin.clone(), host: access.host.clone() })?;
        Ok(Self { host: access.host.clone(), port: access.port, authority, tls, credential, limits })
    }

    /// `host:port`, for people.
    pub fn address(&self) -> String {
        let host = &self.host;
        if host.parse::<Ipv6Addr>().is_ok() {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Puts the upstream's name and the gate's own credential in the place of the client's.
    pub(crate) fn address_and_authorize(&self, headers: &mut HeaderMap) {
        headers.insert(header::HOST, self.authority.clone());
        match self.credential.authorization(Instant::now()) {
            Some(own) => drop(headers.insert(header::AUTHORIZATION, own)),
            None => drop(headers.remove(header::AUTHORIZATION)),
        }
        remove_bearer_protocols(headers);
    }

    /// A new connection, with the handshake done and the server proven.
    pub(crate) async fn connect(&self) -> Result<ClientStream<TcpStream>, SendError> {
        let after = self.limits.connect_timeout;
        match tokio::time::timeout(after, self.connect_unhurried()).await {
            Ok(connected) => connected,
            Err(_) => Err(SendError::ConnectTimeout { address: self.address(), after }),
        }
    }

    async fn connect_unhurried(&self) -> Result<ClientStream<TcpStream>, SendError> {
        let failed = |source| SendError::Connect { address: self.address(), source };
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        // A watch may be silent for hours; only this notices that the server's machine is gone.
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(30))
            .with_interval(Duration::from_secs(10))
            .with_retries(3);
        SockRef::from(&tcp).set_tcp_keepalive(&keepalive).map_err(failed)?;
        self.tls.connect(tcp).await.map_err(|source| SendError::Handshake { address: self.address(), source })
    }
}

/// Takes the tokens out of the WebSocket subprotocols. The one that was accepted is gone already; one
/// that nobody looked at, because another credential was good, must not go on either.
fn remove_bearer_protocols(headers: &mut HeaderMap) {
    const PREFIX: &[u8] = b"base64url.bearer.authorization.k8s.io.";
    let is_token =
        |protocol: &&[u8]| protocol.windows(PREFIX.len()).any(|part| part.eq_ignore_ascii_case(PREFIX));
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let protocols: Vec<&[u8]> =
        values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    if !protocols.iter().any(is_token) {
        return;
    }
    let kept: Vec<&[u8]> = protocols.into_iter().filter(|protocol| !is_token(protocol)).collect();
    match HeaderValue::from_bytes(kept.join(&b',').trim_ascii()) {
        Ok(rest) if !kept.is_empty() => drop(headers.insert(header::SEC_WEBSOCKET_PROTOCOL, rest)),
        _ => drop(headers.remove(header::SEC_WEBSOCKET_PROTOCOL)),
    }
}

fn pem(text: &PemText) -> Pem<'_> {
    Pem::new(&text.origin, &text.text)
}

fn key_pair((chain, key): &(PemText, PemText)) -> Result<KeyPair, PemError> {
    KeyPair::from_pem(pem(chain), pem(key))
}

/// As a browser or client-go writes it: without the port that `https` implies.
fn authority(host: &str, port: u16) -> String {
    let host = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    };
    if port == 443 { host } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bearer_token_goes_on_as_a_subprotocol() {
        fn check(values: &[&'static str], left: &[&str]) {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            }
            remove_bearer_protocols(&mut headers);
            let found: Vec<_> = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().collect();
            assert_eq!(found, left, "{values:?}");
        }
        const TOKEN: &str = "base64url.bearer.authorization.k8s.io.dG9rZW4";
        check(&[], &[]);
        check(&["v5.channel.k8s.io, v4.channel.k8s.io", "x"], &["v5.channel.k8s.io, v4.channel.k8s.io", "x"]);
        check(&[TOKEN], &[]);
        check(&["a, base64url.bearer.authorization.k8s.io.dG9rZW4", TOKEN, "b"], &["a,b"]);
        check(&["Base64URL.bearer.authorization.k8s.io.dG9rZW4 ,a"], &["a"]);
    }
}
