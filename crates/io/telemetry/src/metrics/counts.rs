//! Plain numbers: what one worker counted, or the sum of all of them.

use std::{collections::HashMap, marker::PhantomData, time::Duration};

use types::{Layer, Reason, RequestKind};

use super::{
    Attempt, LabelValue, Protocol, Stream, Stripped, UpgradedTo, UpstreamFailure, Username, authorization,
    exposition::{Exposition, Kind},
    labels::{RequestLabels, Shape, path_label},
};

/// Upper bounds of `apiserver_request_duration_seconds`, in milliseconds and as Go prints them.
// UPSTREAM: kube-apiserver 1.36
const BUCKETS: [(u64, &str); 23] = [
    (5, "0.005"),
    (25, "0.025"),
    (50, "0.05"),
    (100, "0.1"),
    (200, "0.2"),
    (400, "0.4"),
    (600, "0.6"),
    (800, "0.8"),
    (1000, "1"),
    (1250, "1.25"),
    (1500, "1.5"),
    (2000, "2"),
    (3000, "3"),
    (4000, "4"),
    (5000, "5"),
    (6000, "6"),
    (8000, "8"),
    (10_000, "10"),
    (15_000, "15"),
    (20_000, "20"),
    (30_000, "30"),
    (45_000, "45"),
    (60_000, "60"),
];

/// One number for each value of a label.
#[derive(Clone, Debug)]
pub(super) struct By<L> {
    numbers: Vec<u64>,
    label: PhantomData<L>,
}

impl<L: LabelValue> Default for By<L> {
    fn default() -> Self {
        Self { numbers: vec![0; L::ALL.len()], label: PhantomData }
    }
}

impl<L: LabelValue> By<L> {
    fn at(&mut self, value: L) -> Option<&mut u64> {
        let index = L::ALL.iter().position(|known| *known == value)?;
        self.numbers.get_mut(index)
    }

    pub(super) fn add(&mut self, value: L) {
        self.at(value).into_iter().for_each(|number| *number += 1);
    }

    pub(super) fn up(&mut self, value: L) {
        self.add(value);
    }

    pub(super) fn down(&mut self, value: L) {
        self.at(value).into_iter().for_each(|number| *number = number.saturating_sub(1));
    }

    fn merge(&mut self, other: &Self) {
        self.numbers.iter_mut().zip(&other.numbers).for_each(|(ours, theirs)| *ours += theirs);
    }

    fn expose(&self, page: &mut Exposition, name: &'static str, kind: Kind, label: &'static str, help: &str) {
        let mut family = page.family(name, kind, help);
        for (value, number) in L::ALL.iter().zip(&self.numbers) {
            family.sample(&[(label, value.as_str())], *number);
        }
    }
}

/// What one worker counted.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) requests: Requests,
    pub(super) attempts: By<Attempt>,
    pub(super) usernames: By<Username>,
    pub(super) in_flight: By<RequestKind>,
    pub(super) stripped: By<Stripped>,
    pub(super) upstream_failures: By<UpstreamFailure>,
    pub(super) connections: By<Protocol>,
    pub(super) connections_total: By<Protocol>,
    pub(super) streams: By<Stream>,
    pub(super) upgrades: By<UpgradedTo>,
    pub(super) handshake_errors: u64,
    /// Few of the possible pairs ever occur.
    denials: Vec<(Layer, Reason, u64)>,
    pub(super) authorization: authorization::Counts,
}

impl Counts {
    pub(super) fn denied(&mut self, layer: Layer, reason: Reason) {
        self.add_denials(layer, reason, 1);
    }

    fn add_denials(&mut self, layer: Layer, reason: Reason, count: u64) {
        match self.denials.iter_mut().find(|(l, r, _)| (*l, *r) == (layer, reason)) {
            Some((.., number)) => *number += count,
            None => self.denials.push((layer, reason, count)),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.requests.merge(&other.requests);
        self.attempts.merge(&other.attempts);
        self.usernames.merge(&other.usernames);
        self.in_flight.merge(&other.in_flight);
        self.stripped.merge(&other.stripped);
        self.upstream_failures.merge(&other.upstream_failures);
        self.connections.merge(&other.connections);
        self.connections_total.merge(&other.connections_total);
        self.streams.merge(&other.streams);
        self.upgrades.merge(&other.upgrades);
        self.handshake_errors += other.handshake_errors;
        for &(layer, reason, count) in &other.denials {
            self.add_denials(layer, reason, count);
        }
        self.authorization.merge(&other.authorization);
    }

    /// `authorizers` are types and names, by series.
    pub(super) fn expose(&mut self, page: &mut Exposition, authorizers: &[(&'static str, Box<str>)]) {
        self.expose_under_upstream_names(page);
        self.authorization.expose(page, authorizers);
        self.expose_under_our_names(page);
    }

    fn expose_under_upstream_names(&self, page: &mut Exposition) {
        self.requests.expose(page);
        self.in_flight.expose(
            page,
            "apiserver_current_inflight_requests",
            Kind::Gauge,
            "request_kind",
            "Running requests that count against the limits on requests in flight.",
        );
        self.attempts.expose(
            page,
            "authentication_attempts",
            Kind::Counter,
            "result",
            "Authentications of requests, by how they ended.",
        );
        self.usernames.expose(
            page,
            "authenticated_user_requests",
            Kind::Counter,
            "username",
            "Authenticated requests, by well-known user name.",
        );
        page.family(
            "apiserver_tls_handshake_errors_total",
            Kind::Counter,
            "TLS handshakes with clients that failed.",
        )
        .sample(&[], self.handshake_errors);
    }

    fn expose_under_our_names(&mut self, page: &mut Exposition) {
        self.denials.sort_by_key(|(layer, reason, _)| (*layer, reason.as_str()));
        let mut family = page.family(
            "portcullis_denials_total",
            Kind::Counter,
            "Connections and requests refused, by layer and reason.",
        );
        for (layer, reason, count) in &self.denials {
            family.sample(&[("layer", layer.as_str()), ("reason", reason.as_str())], *count);
        }
        self.stripped.expose(
            page,
            "portcullis_stripped_identity_headers_total",
            Kind::Counter,
            "recognised_by",
            "Headers of clients that were taken away: identities, and what Connection nominated.",
        );
        self.upstream_failures.expose(
            page,
            "portcullis_upstream_failures_total",
            Kind::Counter,
            "kind",
            "Failed exchanges with the upstream.",
        );
        self.connections_total.expose(
            page,
            "portcullis_connections_total",
            Kind::Counter,
            "protocol",
            "Connections of clients since the start.",
        );
        self.connections.expose(
            page,
            "portcullis_open_connections",
            Kind::Gauge,
            "protocol",
            "Open connections of clients.",
        );
        self.streams.expose(
            page,
            "portcullis_open_streams",
            Kind::Gauge,
            "kind",
            "Open long-running exchanges.",
        );
        self.upgrades.expose(
            page,
            "portcullis_upgrades_total",
            Kind::Counter,
            "protocol",
            "Connections turned over to another protocol: exec, attach, port-forward, proxied WebSockets.",
        );
    }
}

/// Requests by what they count as.
#[derive(Default)]
pub(super) struct Requests {
    /// `group/version/resource/subresource`, or `/` and a path label, to what counts under it.
    resources: HashMap<Box<str>, Vec<(Shape, usize)>>,
    series: Vec<Histogram>,
    /// Spares an allocation a request.
    key: String,
}

/// Where requests count whose resource has not become a label value. No API group has this name.
const OTHER: &str = "//other/";

#[derive(Clone, Default)]
struct Histogram {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: Duration,
    codes: Vec<(u16, u64)>,
}

impl Requests {
    /// The series of a request; `admits` tells whether a resource that has not been counted here may
    /// become a label value.
    pub(super) fn index(&mut self, labels: &RequestLabels<'_>, admits: impl FnOnce(&str) -> bool) -> usize {
        let attributes = labels.attributes;
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        if attributes.resource_request {
            let parts =
                [attributes.api_group, attributes.api_version, attributes.resource, attributes.subresource];
            for (index, part) in parts.into_iter().enumerate() {
                if index > 0 {
                    key.push('/');
                }
                key.push_str(part);
            }
            if !self.resources.contains_key(key.as_str()) && !admits(&key) {
                key.clear();
                key.push_str(OTHER);
            }
        } else {
            key.push_str(path_label(attributes.path));
        }
        let index = self.slot(&key, Shape::of(labels));
        self.key = key;
        index
    }

    fn slot(&mut self, key: &str, shape: Shape) -> usize {
        let known = self.resources.get_mut(key);
        if let Some((_, index)) = known.iter().flat_map(|shapes| shapes.iter()).find(|(s, _)| *s == shape) {
            return *index;
        }
        let index = self.series.len();
        self.series.push(Histogram::default());
        match known {
            Some(shapes) => shapes.push((shape, index)),
            None => drop(self.resources.insert(key.into(), vec![(shape, index)])),
        }
        index
    }

    pub(super) fn observe(&mut self, index: usize, code: u16, elapsed: Duration) {
        let Some(series) = self.series.get_mut(index) else { return };
        series.count += 1;
        series.sum = series.sum.saturating_add(elapsed);
        let within = |(bound, _): &(u64, &str)| elapsed <= Duration::from_millis(*bound);
        if let Some(bucket) = BUCKETS.iter().position(within).and_then(|at| series.buckets.get_mut(at)) {
            *bucket += 1;
        }
        series.add_code(code, 1);
    }

    fn merge(&mut self, other: &Self) {
        for (key, shapes) in &other.resources {
            for (shape, theirs) in shapes {
                let index = self.slot(key, *shape);
                if let (Some(ours), Some(theirs)) = (self.series.get_mut(index), other.series.get(*theirs)) {
                    ours.merge(theirs);
                }
            }
        }
    }

    fn expose(&self, page: &mut Exposition) {
        let mut rows: Vec<(Labels<'_>, &Histogram)> = self
            .resources
            .iter()
            .flat_map(|(key, shapes)| shapes.iter().map(move |(shape, index)| (key, shape, index)))
            .filter_map(|(key, shape, index)| Some((labels(key, shape), self.series.get(*index)?)))
            // A request that has not ended yet has its series, but no count.
            .filter(|(_, histogram)| histogram.count > 0)
            .collect();
        rows.sort_by_key(|(labels, _)| *labels);

        let mut family = page.family(
            "apiserver_request_total",
            Kind::Counter,
            "Requests that the upstream answered, or that were refused with 429.",
        );
        for (labels, histogram) in &rows {
            let mut codes = histogram.codes.clone();
            codes.sort_unstable();
            for (code, count) in codes {
                let code = code.to_string();
                let [component, dry_run, rest @ ..] = *labels;
                let [group, resource, scope, subresource, verb, version] = rest;
                family.sample(
                    &[
                        ("code", &code),
                        component,
                        dry_run,
                        group,
                        resource,
                        scope,
                        subresource,
                        verb,
                        version,
                    ],
                    count,
                );
            }
        }
        let mut family = page.family(
            "apiserver_request_duration_seconds",
            Kind::Histogram,
            "Time from a request's head to the end of its response.",
        );
        for (labels, histogram) in &rows {
            let bounds = BUCKETS.iter().map(|(_, bound)| *bound).zip(histogram.buckets);
            family.histogram(labels, bounds, histogram.count, histogram.sum.as_secs_f64());
        }
    }
}

impl Histogram {
    fn add_code(&mut self, code: u16, count: u64) {
        match self.codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, number)) => *number += count,
            None => self.codes.push((code, count)),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(ours, theirs)| *ours += theirs);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        for &(code, count) in &other.codes {
            self.add_code(code, count);
        }
    }
}

type Labels<'a> = [(&'static str, &'a str); 8];

/// kube-apiserver's labels but `code`, in the order in which they are written.
fn labels<'a>(key: &'a str, shape: &Shape) -> Labels<'a> {
    let mut parts = key.splitn(4, '/');
    let mut part = || parts.next().unwrap_or_default();
    // A resource's key has three slashes or more; a path label has at most one.
    let resource = key.matches('/').count() >= 3;
    let [group, version, name, subresource] =
        if resource { [part(), part(), part(), part()] } else { ["", "", "", key] };
    [
        ("component", if resource { "apiserver" } else { "" }),
        ("dry_run", shape.dry_run.as_str()),
        ("group", group),
        ("resource", name),
        ("scope", shape.scope.as_str()),
        ("subresource", subresource),
        ("verb", shape.verb.as_str()),
        ("version", version),
    ]
}
