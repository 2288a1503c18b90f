//! `curl` to the cluster's API, which is the gate. Nothing else can be reached from a container.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tls::{ClientSettings, ClientTls, Pem};
use tokio::net::TcpStream;

use crate::containers::{
    SERVICE_ADDRESS,
    files::resolve,
    pipe::Output,
    shell::{INTERRUPTED, Io, PIPE_BROKEN, Shell, interrupted},
};

/// What the API server is called inside the cluster.
const NAMES: &[&str] = &[
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    SERVICE_ADDRESS,
];

#[derive(Default)]
struct Wanted {
    url: String,
    method: Option<Method>,
    headers: Vec<String>,
    data: Option<String>,
    output: Option<String>,
    format: String,
    authority: Option<String>,
    limit: Option<f64>,
    insecure: bool,
    silent: bool,
    shows_errors: bool,
    shows_head: bool,
    only_head: bool,
    fails: bool,
    verbose: bool,
}

/// An exit status of curl with its message.
struct Failed(i32, String);

pub(super) async fn curl(shell: &mut Shell, arguments: &[&str], io: &Io) -> i32 {
    let failed = match Wanted::read(arguments) {
        Ok(wanted) => {
            let mut interrupts = shell.terminal.as_ref().map(|terminal| terminal.interrupts.clone());
            let limit = wanted.limit.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let done = tokio::select! {
                done = wanted.fetch(shell, io) => done,
                () = interrupted(&mut interrupts) => return INTERRUPTED,
                () = elapsed(limit) => Err(Failed(28, "Operation timed out".into())),
            };
            match done {
                Ok(status) => return status,
                Err(failed) if wanted.silent && !wanted.shows_errors => return failed.0,
                Err(failed) => failed,
            }
        }
        Err(failed) => failed,
    };
    io.fail(&format!("curl: ({}) {}", failed.0, failed.1), failed.0).await
}

async fn elapsed(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

impl Wanted {
    fn read(arguments: &[&str]) -> Result<Self, Failed> {
        let mut wanted = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(flags) = argument.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
                wanted.url = (*argument).to_owned();
                continue;
            };
            if let Some(long) = flags.strip_prefix('-') {
                let letter = long_flag(long)
                    .ok_or_else(|| Failed(2, format!("option --{long}: is unknown in the lab")))?;
                wanted.set(letter, "", &mut rest)?;
                continue;
            }
            for (at, letter) in flags.char_indices() {
                let behind = flags.get(at + letter.len_utf8()..).unwrap_or_default();
                if wanted.set(letter, behind, &mut rest)? {
                    break;
                }
            }
        }
        if wanted.url.is_empty() {
            return Err(Failed(2, "no URL specified".into()));
        }
        Ok(wanted)
    }

    /// Takes one option; whether it took `behind`, the rest of its word, as its value.
    fn set<'a>(
        &mut self,
        letter: char,
        behind: &str,
        rest: &mut impl Iterator<Item = &'a &'a str>,
    ) -> Result<bool, Failed> {
        match letter {
            'k' => self.insecure = true,
            's' => self.silent = true,
            'S' => self.shows_errors = true,
            'i' => self.shows_head = true,
            'I' => self.only_head = true,
            'f' => self.fails = true,
            'v' => self.verbose = true,
            'L' | 'g' | 'N' | '4' | '6' => {}
            'X' | 'H' | 'd' | 'o' | 'w' | 'C' | 'm' => {
                let value = match behind {
                    "" => rest.next().map(|value| (*value).to_owned()),
                    behind => Some(behind.to_owned()),
                };
                let value =
                    value.ok_or_else(|| Failed(2, format!("option -{letter}: requires parameter")))?;
                match letter {
                    'X' => self.method = Method::from_bytes(value.as_bytes()).ok(),
                    'H' => self.headers.push(value),
                    'd' => self.data = Some(value),
                    'o' => self.output = Some(value),
                    'w' => self.format = value,
                    'C' => self.authority = Some(value),
                    _ => self.limit = value.parse().ok(),
                }
                return Ok(true);
            }
            letter => return Err(Failed(2, format!("option -{letter}: is unknown in the lab"))),
        }
        Ok(false)
    }

    async fn fetch(&self, shell: &Shell, io: &Io) -> Result<i32, Failed> {
        let uri: Uri = self.url.parse().map_err(|_| Failed(3, "URL rejected: Malformed input".into()))?;
        let host = uri.host().unwrap_or_default();
        let container = &shell.container;
        let address = container.api_address().filter(|_| NAMES.contains(&host));
        let address = address.ok_or_else(|| Failed(6, format!("Could not resolve host: {host}")))?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let refused =
            || Failed(7, format!("Failed to connect to {host} port {port}: Could not connect to server"));
        if uri.scheme_str() != Some("https") || port != 443 {
            return Err(refused());
        }
        let tcp = TcpStream::connect(address).await.map_err(|_| refused())?;
        let tls = self.tls(shell, host)?;
        let untrusted = "SSL certificate problem: unable to get local issuer certificate";
        let stream = tls.connect(tcp).await.map_err(|_| Failed(60, untrusted.into()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Failed(56, "Recv failure".into()))?;
        let connection = async { drop(connection.await) };
        let request = self.request(&uri, host)?;
        let exchange = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|_| Failed(52, "Empty reply from server".into()))?;
            // The connection ends with the answer: there will be no second request.
            drop(sender);
            self.print(response, shell, io).await
        };
        tokio::join!(exchange, connection).0
    }

    fn tls(&self, shell: &Shell, host: &str) -> Result<ClientTls, Failed> {
        // Unjudged means here: by the one certificate that is known to be the gate's.
        let authority = match (&self.authority, self.insecure) {
            (_, true) => Bytes::copy_from_slice(shell.container.root_ca().as_bytes()),
            (Some(path), false) => {
                let path = resolve(&shell.folder, path);
                let read = shell.container.files().read(&path);
                read.map_err(|_| Failed(77, format!("error setting certificate file: {path}")))?
            }
            (None, false) => {
                let message = "SSL certificate problem: unable to get local issuer certificate";
                return Err(Failed(60, message.into()));
            }
        };
        let server_name = if self.insecure { "kubernetes.default.svc" } else { host };
        let ca = Pem::new("cacert", &authority);
        ClientTls::new(&ClientSettings { ca, key_pair: None, server_name })
            .map_err(|error| Failed(77, error.to_string()))
    }

    fn request(&self, uri: &Uri, host: &str) -> Result<Request<Full<Bytes>>, Failed> {
        let method = match (&self.method, &self.data) {
            (Some(method), _) => method.clone(),
            (None, _) if self.only_head => Method::HEAD,
            (None, Some(_)) => Method::POST,
            (None, None) => Method::GET,
        };
        let malformed = |_| Failed(3, "URL rejected: Malformed input".into());
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target: Uri = target.parse().map_err(malformed)?;
        let mut request = Request::new(Full::new(self.data.clone().unwrap_or_default().into()));
        *request.method_mut() = method;
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(header::HOST, host);
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static("curl/8.0"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if self.data.is_some() {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form);
        }
        for line in &self.headers {
            let Some((name, value)) = line.split_once(':') else { continue };
            let name = HeaderName::from_bytes(name.trim().as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.trim())) {
                headers.insert(name, value);
            }
        }
        Ok(request)
    }

    async fn print(
        &self,
        response: http::Response<hyper::body::Incoming>,
        shell: &Shell,
        io: &Io,
    ) -> Result<i32, Failed> {
        let (head, mut body) = response.into_parts();
        let output = match &self.output {
            None => io.output.clone(),
            Some(path) => shell
                .create(path, false, io)
                .map_err(|wrong| Failed(23, format!("Failure writing output to destination: {wrong}")))?,
        };
        let code = head.status.as_u16();
        let mut text = format!("HTTP/1.1 {} {}\n", code, head.status.canonical_reason().unwrap_or_default());
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
        }
        if self.verbose {
            let said: String = text.lines().map(|line| format!("< {line}\n")).collect();
            let _: Result<_, _> = io.errors.write(said + "<\n").await;
        }
        if self.fails && code >= 400 {
            return Err(Failed(22, format!("The requested URL returned error: {code}")));
        }
        if (self.shows_head || self.only_head) && output.write(text + "\n").await.is_err() {
            return Ok(PIPE_BROKEN);
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Failed(18, "transfer closed with outstanding read data".into()))?;
            if let Ok(bytes) = frame.into_data()
                && output.write(bytes).await.is_err()
            {
                return Ok(PIPE_BROKEN);
            }
        }
        if !self.format.is_empty() {
            let shown = self.format.replace("%{http_code}", &code.to_string()).replace("\\n", "\n");
            let _: Result<_, _> = Output::write(&io.output, shown).await;
        }
        Ok(0)
    }
}

/// The letter of a long option; `C` is ours for `--cacert`.
fn long_flag(name: &str) -> Option<char> {
    Some(match name {
        "insecure" => 'k',
        "silent" => 's',
        "show-error" => 'S',
        "include" => 'i',
        "head" => 'I',
        "fail" => 'f',
        "verbose" => 'v',
        "location" => 'L',
        "no-buffer" => 'N',
        "request" => 'X',
        "header" => 'H',
        "data" | "data-raw" => 'd',
        "output" => 'o',
        "write-out" => 'w',
        "cacert" => 'C',
        "max-time" | "connect-timeout" => 'm',
        _ => return None,
    })
}
