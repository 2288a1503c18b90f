//! Metrics under kube-apiserver's names and labels, so that its dashboards and alerts keep working,
//! and our own under `portcullis_`.
//!
//! Each worker counts in a shard of its own, under a lock that only a scrape ever contends for. A
//! scrape adds the shards up and writes Prometheus' text format 0.0.4. It is written here and not
//! by `prometheus-client`, which writes OpenMetrics only: there every counter ends in `_total`,
//! which `authentication_attempts` does not, and the `TYPE` line of `apiserver_request_total`
//! names another metric.
//!
//! # Which requests count
//!
//! As in kube-apiserver, `apiserver_request_total` counts what reached a handler (here: was answered
//! by the upstream) and 429s. Requests that were refused are in `portcullis_denials_total`.
//!
//! # Bounded label values
//!
//! kube-apiserver knows its resources; the gate learns them: a group, version, resource and
//! subresource become label values once a request for them has succeeded, up to [`RESOURCES`] of
//! them. Until then, and beyond, requests count under `resource="other"`, so that made-up names cost
//! no memory. Paths count by a closed list, names and namespaces never.

mod authorization;
mod counts;
mod exposition;
mod labels;

use std::{collections::HashSet, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use types::{Decision, Layer, Reason, RequestKind};

pub use authorization::{Authorization, AuthorizerSeries, Conditions};
use counts::Counts;
pub use exposition::{Exposition, Family, Kind, Label};
pub use labels::{DryRun, RequestLabels};

/// The `Content-Type` of [`Metrics::expose`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many group-version-resource-subresource combinations can become label values.
pub const RESOURCES: usize = 2048;

/// A closed set of label values.
trait LabelValue: Copy + PartialEq + 'static {
    /// Every value, in the order of declaration.
    const ALL: &'static [Self];
    /// The value as a label.
    fn as_str(self) -> &'static str;
}

macro_rules! label_values {
    ($(#[$about:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $($(#[$doc])* $variant),+ }

        impl crate::metrics::LabelValue for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}
use label_values;

impl LabelValue for RequestKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        self.as_str()
    }
}

label_values! {
    /// How a header was recognised as one that must not go on.
    pub enum Stripped {
        /// By the name of an identity header, in whatever case.
        Name = "name",
        /// By such a name after `_` and `.` were read as `-`.
        Alias = "alias",
        /// `Connection` nominated it, whatever it is.
        Nominated = "nominated",
    }
}

label_values! {
    /// What failed between the gate and the upstream.
    pub enum UpstreamFailure {
        /// No TCP connection.
        Connect = "connect",
        /// No TLS session, or the certificate is not trusted.
        Tls = "tls",
        /// No response in time.
        Timeout = "timeout",
        /// The connection broke before a response.
        Broken = "broken",
        /// The connection broke within a response.
        Cut = "cut",
    }
}

label_values! {
    /// What a client speaks.
    pub enum Protocol {
        /// HTTP/1.1
        H1 = "h1",
        /// HTTP/2
        H2 = "h2",
    }
}

label_values! {
    /// Exchanges that last.
    pub enum Stream {
        /// A watch.
        Watch = "watch",
        /// Anything else long-running that is answered with a body, such as followed logs.
        Response = "response",
        /// An upgraded connection: exec, attach, port-forward.
        Upgrade = "upgrade",
    }
}

label_values! {
    /// What a connection was turned over to.
    pub enum UpgradedTo {
        /// RFC 6455, whatever is spoken in its messages.
        WebSocket = "websocket",
        /// SPDY/3.1, which clients of Kubernetes are giving up.
        Spdy = "spdy",
        /// What somebody talks with a pod or a service through `proxy`.
        Other = "other",
    }
}

impl UpgradedTo {
    /// Of the `Upgrade` header of a 101.
    pub fn of(header: &[u8]) -> Self {
        if header.eq_ignore_ascii_case(b"websocket") {
            Self::WebSocket
        } else if header.eq_ignore_ascii_case(b"SPDY/3.1") {
            Self::Spdy
        } else {
            Self::Other
        }
    }
}

label_values! {
    /// How authentication ended.
    enum Attempt {
        /// Somebody was recognised, or is anonymous.
        Success = "success",
        /// There was no credential that any authenticator knows.
        Failure = "failure",
        /// A credential was bad or could not be judged.
        Error = "error",
    }
}

label_values! {
    /// The user names that are told apart.
    // UPSTREAM: authenticated_user_requests folds all but a few old names (kube-apiserver 1.36)
    enum Username {
        Admin = "admin",
        Client = "client",
        KubeProxy = "kube_proxy",
        Kubelet = "kubelet",
        DefaultServiceAccount = "system:serviceaccount:kube-system:default",
        EmailId = "email_id",
        Other = "other",
    }
}

impl Username {
    fn of(name: &str) -> Self {
        let known = |username: &&Self| username.as_str() == name;
        match Self::ALL.iter().take(5).find(known) {
            Some(username) => *username,
            None if name.contains('@') => Self::EmailId,
            None => Self::Other,
        }
    }
}

/// What has become of audit events, for the `apiserver_audit_*` metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditCounts {
    /// Events handed to the sink.
    pub events: u64,
    /// Events that the sink could not write.
    pub failed: u64,
    /// Events dropped because the sink's buffer was full.
    pub dropped: u64,
}

type Source = Box<dyn Fn(&mut Exposition) + Send + Sync>;

/// All metrics of one gate. A clone is another handle on the same ones.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    shards: Mutex<Vec<Arc<Shard>>>,
    sources: Mutex<Vec<Source>>,
    known: Arc<Known>,
    /// Types and names of authorizers, by [`AuthorizerSeries`]. They come from configuration alone.
    authorizers: Mutex<Vec<(&'static str, Box<str>)>>,
}

#[derive(Default)]
struct Shard(Mutex<Counts>);

/// The resources that have become label values: `group/version/resource/subresource`.
#[derive(Default)]
struct Known(RwLock<HashSet<Box<str>>>);

impl Known {
    /// Whether `key` is a label value, now that a request for it got `code`.
    fn admits(&self, key: &str, code: u16) -> bool {
        if self.0.read().contains(key) {
            return true;
        }
        if code >= 400 {
            return false;
        }
        let mut known = self.0.write();
        known.len() < RESOURCES && known.insert(key.into()) || known.contains(key)
    }
}

impl Metrics {
    /// No counts yet. `version` is the gate's.
    pub fn new(version: &'static str) -> Self {
        let metrics = Self(Arc::new(Inner {
            shards: Mutex::default(),
            sources: Mutex::default(),
            known: Arc::default(),
            authorizers: Mutex::default(),
        }));
        metrics.add_source(move |page| {
            page.family("portcullis_build_info", Kind::Gauge, "Always 1; the label tells the version.")
                .sample(&[("version", version)], 1);
        });
        metrics
    }

    /// A shard for one worker. Meant to be asked for once a worker, and cloned within it.
    pub fn worker(&self) -> Worker {
        let shard = Arc::<Shard>::default();
        self.0.shards.lock().push(Arc::clone(&shard));
        Worker { shard, known: Arc::clone(&self.0.known) }
    }

    /// Where the authorizer of this type and name counts: for each reload, not for each request. The same
    /// one counts on where it did before.
    pub fn authorizer(&self, kind: &'static str, name: &str) -> AuthorizerSeries {
        let mut authorizers = self.0.authorizers.lock();
        let known = authorizers.iter().position(|(of_kind, known)| *of_kind == kind && **known == *name);
        AuthorizerSeries(known.unwrap_or_else(|| {
            authorizers.push((kind, name.into()));
            authorizers.len() - 1
        }))
    }

    /// Has `source` add families of its own to every scrape.
    pub fn add_source(&self, source: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.0.sources.lock().push(Box::new(source));
    }

    /// Adds kube-apiserver's audit metrics, fed by `counts`.
    pub fn add_audit(&self, counts: impl Fn() -> AuditCounts + Send + Sync + 'static) {
        self.add_source(move |page| {
            let counts = counts();
            page.family(
                "apiserver_audit_event_total",
                Kind::Counter,
                "Audit events handed to the audit sink.",
            )
            .sample(&[], counts.events);
            page.family("apiserver_audit_error_total", Kind::Counter, "Audit events that are not on record.")
                .sample(&[("plugin", "buffered")], counts.dropped)
                .sample(&[("plugin", "log")], counts.failed);
        });
    }

    /// Everything counted so far, in Prometheus' text format 0.0.4 ([`CONTENT_TYPE`]).
    pub fn expose(&self) -> String {
        let mut sum = Counts::default();
        for shard in self.0.shards.lock().iter() {
            sum.add(&shard.0.lock());
        }
        let mut page = Exposition::default();
        sum.expose(&mut page, &self.0.authorizers.lock());
        for source in self.0.sources.lock().iter() {
            source(&mut page);
        }
        page.finish()
    }
}

/// One worker's counts.
#[derive(Clone)]
pub struct Worker {
    shard: Arc<Shard>,
    known: Arc<Known>,
}

/// Where a request counts. Made when its response begins, used when it has ended.
#[derive(Clone, Copy, Debug)]
#[must_use = "a request is counted by `Worker::finished`"]
pub struct Series {
    index: usize,
    code: u16,
}

impl Worker {
    /// Finds where a request counts, once its response's status code is known.
    pub fn series(&self, labels: &RequestLabels<'_>, code: u16) -> Series {
        let index = self.shard.0.lock().requests.index(labels, |key| self.known.admits(key, code));
        Series { index, code }
    }

    /// Counts a request whose response has ended. `elapsed` is the time since its head arrived; for
    /// long-running requests it is their whole life.
    pub fn finished(&self, series: Series, elapsed: Duration) {
        self.shard.0.lock().requests.observe(series.index, series.code, elapsed);
    }

    /// A layer refused a request or a connection.
    pub fn denied(&self, layer: Layer, reason: Reason) {
        self.shard.0.lock().denied(layer, reason);
    }

    /// Authentication recognised `username`, which may be the anonymous user.
    pub fn authenticated(&self, username: &str) {
        let mut counts = self.shard.0.lock();
        counts.attempts.add(Attempt::Success);
        counts.usernames.add(Username::of(username));
    }

    /// There was no credential that any authenticator knows, and anonymous requests are refused.
    pub fn unauthenticated(&self) {
        self.shard.0.lock().attempts.add(Attempt::Failure);
    }

    /// A credential was bad or could not be judged.
    pub fn authentication_failed(&self) {
        self.shard.0.lock().attempts.add(Attempt::Error);
    }

    /// The chain of authorizers said this to a request, after so long; the one that decided is named.
    pub fn authorized(
        &self,
        result: Authorization,
        elapsed: Duration,
        decided: Option<(AuthorizerSeries, Decision)>,
    ) {
        let counts = &mut self.shard.0.lock().authorization;
        counts.attempt(result, elapsed);
        if let Some((by, decision)) = decided {
            counts.decided(by, decision);
        }
    }

    /// A webhook's match conditions were judged.
    pub fn conditions(&self, of: AuthorizerSeries, judged: Conditions, elapsed: Duration) {
        self.shard.0.lock().authorization.conditions(of, judged, elapsed);
    }

    /// A requester asked to act as somebody else, and may in this mode of impersonation, or may not.
    pub fn impersonated(&self, mode: Option<&'static str>, elapsed: Duration) {
        self.shard.0.lock().authorization.impersonated(mode, elapsed);
    }

    /// The chain was asked one question about that, in this mode.
    pub fn impersonation_checked(
        &self,
        mode: &'static str,
        allowed: bool,
        elapsed: Duration,
        decided: Option<(AuthorizerSeries, Decision)>,
    ) {
        let counts = &mut self.shard.0.lock().authorization;
        counts.checked(mode, allowed, elapsed);
        if let Some((by, decision)) = decided {
            counts.decided(by, decision);
        }
    }

    /// An identity header of the client was taken away.
    pub fn stripped(&self, how: Stripped) {
        self.shard.0.lock().stripped.add(how);
    }

    /// An exchange with the upstream failed.
    pub fn upstream_failed(&self, how: UpstreamFailure) {
        self.shard.0.lock().upstream_failures.add(how);
    }

    /// A client's connection was turned over to another protocol.
    pub fn upgraded(&self, to: UpgradedTo) {
        self.shard.0.lock().upgrades.add(to);
    }

    /// A TLS handshake with a client failed.
    pub fn handshake_failed(&self) {
        self.shard.0.lock().handshake_errors += 1;
    }

    /// A request that counts against the limits is running until the answer is dropped.
    pub fn in_flight(&self, kind: RequestKind) -> InFlight {
        self.shard.0.lock().in_flight.up(kind);
        InFlight { shard: Arc::clone(&self.shard), kind }
    }

    /// A client's connection is open until the answer is dropped.
    pub fn connection(&self, protocol: Protocol) -> OpenConnection {
        let mut counts = self.shard.0.lock();
        counts.connections_total.add(protocol);
        counts.connections.up(protocol);
        OpenConnection { shard: Arc::clone(&self.shard), protocol }
    }

    /// A long-running exchange is open until the answer is dropped.
    pub fn stream(&self, kind: Stream) -> OpenStream {
        self.shard.0.lock().streams.up(kind);
        OpenStream { shard: Arc::clone(&self.shard), kind }
    }
}

macro_rules! guard {
    ($(#[$about:meta])* $name:ident { $field:ident: $ty:ty } lowers $gauge:ident) => {
        $(#[$about])*
        #[must_use = "it counts only while it is held"]
        pub struct $name { shard: Arc<Shard>, $field: $ty }

        impl Drop for $name {
            fn drop(&mut self) {
                self.shard.0.lock().$gauge.down(self.$field);
            }
        }
    };
}

guard!(
    /// A running request.
    InFlight { kind: RequestKind } lowers in_flight
);
guard!(
    /// An open connection of a client.
    OpenConnection { protocol: Protocol } lowers connections
);
guard!(
    /// An open watch, response or upgraded connection.
    OpenStream { kind: Stream } lowers streams
);

#[cfg(test)]
mod tests;
