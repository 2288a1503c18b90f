use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use types::{Attributes, User, selector::Selectors};

use super::*;

fn with_labels(
    method: &'static str,
    verb: &'static str,
    resource: &str,
    subresource: &str,
    test: impl FnOnce(&RequestLabels<'_>),
) {
    let (user, selectors) = (User::default(), Selectors::default());
    let attributes = Attributes {
        user: &user,
        verb,
        resource_request: true,
        namespace: "prod",
        api_group: "",
        api_version: "v1",
        resource,
        subresource,
        name: if matches!(verb, "list" | "watch" | "create") { "" } else { "web" },
        path: "/api/v1/…",
        selectors: &selectors,
    };
    test(&RequestLabels { method, attributes: &attributes, content_type: "", dry_run: DryRun::No });
}

/// The samples of one family, each with its labels as they are written.
fn family<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    page.lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .collect()
}

fn count(worker: &Worker, labels: &RequestLabels<'_>, code: u16, milliseconds: u64) {
    worker.finished(worker.series(labels, code), Duration::from_millis(milliseconds));
}

#[test]
fn requests_count_as_kube_apiserver_counts_them() {
    let check = |method, verb, subresource: &'static str, expected: &str| {
        let metrics = Metrics::new("0.1.0");
        with_labels(method, verb, "pods", subresource, |labels| count(&metrics.worker(), labels, 200, 7));
        let page = metrics.expose();
        let samples = family(&page, "apiserver_request_total");
        let rest = format!("subresource=\"{subresource}\",verb=\"{expected}\",version=\"v1\"}} 1");
        assert!(matches!(samples[..], [line] if line.ends_with(&rest)), "{method} {verb}: {samples:?}");
    };
    check("GET", "get", "", "GET");
    check("HEAD", "get", "", "GET");
    check("GET", "list", "", "LIST");
    check("GET", "watch", "", "WATCH");
    check("POST", "create", "", "POST");
    check("POST", "create", "eviction", "POST");
    check("PUT", "update", "status", "PUT");
    check("PATCH", "patch", "", "PATCH");
    check("DELETE", "delete", "", "DELETE");
    check("DELETE", "deletecollection", "", "DELETE");
    check("GET", "get", "exec", "CONNECT");
    check("POST", "create", "portforward", "CONNECT");
    check("GET", "get", "log", "GET");
    check("BREW", "", "", "other");
}

#[test]
fn every_label_stands_where_it_should() {
    let metrics = Metrics::new("0.1.0");
    // Two workers, so that the page is a sum.
    for worker in [metrics.worker(), metrics.worker()] {
        with_labels("PATCH", "patch", "pods", "", |labels| {
            let labels = RequestLabels {
                content_type: "application/apply-patch+yaml",
                dry_run: DryRun::of("fieldManager=me&dryRun=All"),
                ..*labels
            };
            count(&worker, &labels, 201, 5);
            count(&worker, &labels, 409, 6);
        });
    }
    let page = metrics.expose();
    let labels = "component=\"apiserver\",dry_run=\"All\",group=\"\",resource=\"pods\",scope=\"resource\",\
                  subresource=\"\",verb=\"APPLY\",version=\"v1\"";
    let lines = |name: &str| family(&page, name).join("\n");
    assert_eq!(
        lines("apiserver_request_total"),
        format!(
            "apiserver_request_total{{code=\"201\",{labels}}} 2\napiserver_request_total{{code=\"409\",{labels}}} 2"
        )
    );
    let buckets = lines("apiserver_request_duration_seconds_bucket");
    assert!(buckets.contains(&format!("{{{labels},le=\"0.005\"}} 2\n")), "5 ms is within 0.005: {buckets}");
    assert!(buckets.contains(&format!("{{{labels},le=\"0.025\"}} 4\n")), "{buckets}");
    assert!(buckets.ends_with(&format!("{{{labels},le=\"+Inf\"}} 4")), "{buckets}");
    assert!(lines("apiserver_request_duration_seconds_sum").ends_with("} 0.022"));
    assert!(lines("apiserver_request_duration_seconds_count").ends_with("} 4"));
}

#[test]
fn paths_count_by_a_closed_list() {
    let check = |path, expected: &str| {
        let metrics = Metrics::new("0.1.0");
        with_labels("GET", "get", "", "", |labels| {
            let attributes = Attributes {
                resource_request: false,
                namespace: "",
                name: "",
                api_version: "",
                path,
                ..*labels.attributes
            };
            count(&metrics.worker(), &RequestLabels { attributes: &attributes, ..*labels }, 200, 1);
        });
        let page = metrics.expose();
        let start = "apiserver_request_total{code=\"200\",component=\"\",dry_run=\"\",group=\"\",resource=\"\",scope=\"\",";
        let expected = format!("{start}subresource=\"{expected}\",verb=\"GET\",version=\"\"}} 1");
        assert_eq!(family(&page, "apiserver_request_total"), [expected]);
    };
    check("/healthz", "/healthz");
    check("/openapi/v3", "openapi/v3");
    check("/version", "");
    check("/a/b/c/d/e", "");
}

#[test]
fn made_up_resources_cost_no_series() {
    let metrics = Metrics::new("0.1.0");
    let worker = metrics.worker();
    for number in 0..10 {
        with_labels("GET", "list", &format!("made-up-{number}"), "", |labels| count(&worker, labels, 404, 1));
    }
    let page = metrics.expose();
    let samples = family(&page, "apiserver_request_total");
    assert!(
        matches!(samples[..], [line] if line.contains("resource=\"other\"") && line.ends_with(" 10")),
        "{page}"
    );

    // A success makes a name known, to every worker.
    let other = metrics.worker();
    with_labels("GET", "list", "widgets", "", |labels| {
        count(&other, labels, 200, 1);
        count(&worker, labels, 404, 1);
    });
    let page = metrics.expose();
    let known =
        family(&page, "apiserver_request_total").into_iter().filter(|line| line.contains("\"widgets\""));
    assert_eq!(known.count(), 2, "{page}");

    // Even an upstream that says yes to everything.
    for number in 0..RESOURCES * 2 {
        with_labels("GET", "list", &format!("yes-{number}"), "", |labels| count(&worker, labels, 200, 1));
    }
    let resources: BTreeSet<String> = family(&metrics.expose(), "apiserver_request_total")
        .into_iter()
        .filter_map(|line| line.split_once("resource=\"")?.1.split_once('"').map(|(name, _)| name.to_owned()))
        .collect();
    assert_eq!(resources.len(), RESOURCES + 1, "and `other`");
}

#[test]
fn dry_run_has_three_values() {
    let check = |query, expected| assert_eq!(DryRun::of(query), expected, "{query}");
    check("", DryRun::No);
    check("watch=1&dryRunning=All", DryRun::No);
    check("dryRun=All", DryRun::All);
    check("a=b&dryRun=All&dryRun=All", DryRun::All);
    check("dryRun=all", DryRun::Invalid);
    check("dryRun", DryRun::Invalid);
    check("dryRun=Some&dryRun=All", DryRun::Invalid);
    check("dryRun=All&dryRun=", DryRun::Invalid);
}

#[test]
fn gauges_fall_when_their_guards_go() {
    let metrics = Metrics::new("0.1.0");
    let worker = metrics.worker();
    let guards = (
        worker.in_flight(RequestKind::Mutating),
        worker.connection(Protocol::H2),
        worker.stream(Stream::Watch),
    );
    let open = [
        "apiserver_current_inflight_requests{request_kind=\"mutating\"}",
        "portcullis_open_connections{protocol=\"h2\"}",
        "portcullis_open_streams{kind=\"watch\"}",
    ];
    let check = |value: u64| {
        let page = metrics.expose();
        for name in open {
            assert!(page.contains(&format!("{name} {value}\n")), "{name} {value}: {page}");
        }
        assert!(page.contains("portcullis_connections_total{protocol=\"h2\"} 1\n"), "it never falls");
    };
    check(1);
    drop(guards);
    check(0);
}

/// A page with a sample in every family.
fn full_page() -> String {
    let metrics = Metrics::new("0.1.0");
    metrics.add_audit(|| AuditCounts { events: 5, failed: 2, dropped: 1 });
    let worker = metrics.worker();
    with_labels("GET", "list", "pods", "", |labels| count(&worker, labels, 200, 61_000));
    worker.denied(Layer::Authorization, Reason::NotAllowed);
    worker.denied(Layer::Network, Reason::AddressNotAllowed);
    metrics.worker().denied(Layer::Authorization, Reason::NotAllowed);
    for name in ["kubelet", "ann@example.org", "system:serviceaccount:a:b"] {
        worker.authenticated(name);
    }
    worker.unauthenticated();
    worker.authentication_failed();
    worker.stripped(Stripped::Alias);
    worker.upstream_failed(UpstreamFailure::Cut);
    worker.handshake_failed();
    let millis = Duration::from_millis;
    worker.impersonated(Some("user-info"), millis(3));
    worker.impersonated(None, millis(4));
    let (rbac, hook) = (metrics.authorizer("RBAC", "rbac"), metrics.authorizer("Webhook", "hook"));
    assert_eq!((metrics.authorizer("RBAC", "rbac"), rbac == hook), (rbac, false));
    worker.impersonation_checked("user-info", true, millis(1), Some((rbac, Decision::Allow)));
    worker.impersonation_checked("legacy", false, millis(1), None);
    worker.authorized(Authorization::Allowed, millis(1), Some((rbac, Decision::Allow)));
    worker.authorized(Authorization::NoOpinion, millis(17_000), None);
    let other = metrics.worker();
    other.authorized(Authorization::Denied, millis(2), Some((hook, Decision::Deny)));
    other.authorized(Authorization::Allowed, millis(2), None);
    other.conditions(hook, Conditions { excluded: false, failed: true }, millis(10));
    other.conditions(hook, Conditions { excluded: true, failed: true }, millis(300));
    for header in ["WebSocket", "SPDY/3.1", "spdy/3.1", "h2c"] {
        worker.upgraded(UpgradedTo::of(header.as_bytes()));
    }
    metrics.expose()
}

#[test]
fn what_is_counted_is_shown() {
    let page = full_page();
    for line in [
        "authentication_attempts{result=\"success\"} 3",
        "authentication_attempts{result=\"failure\"} 1",
        "authentication_attempts{result=\"error\"} 1",
        "authenticated_user_requests{username=\"kubelet\"} 1",
        "authenticated_user_requests{username=\"email_id\"} 1",
        "authenticated_user_requests{username=\"other\"} 1",
        "apiserver_audit_event_total 5",
        "apiserver_audit_error_total{plugin=\"log\"} 2",
        "apiserver_audit_error_total{plugin=\"buffered\"} 1",
        "apiserver_tls_handshake_errors_total 1",
        "portcullis_denials_total{layer=\"network\",reason=\"address_not_allowed\"} 1",
        "portcullis_denials_total{layer=\"authorization\",reason=\"not_allowed\"} 2",
        "portcullis_stripped_identity_headers_total{recognised_by=\"alias\"} 1",
        "portcullis_upstream_failures_total{kind=\"cut\"} 1",
        "portcullis_upgrades_total{protocol=\"websocket\"} 1",
        "portcullis_upgrades_total{protocol=\"spdy\"} 2",
        "portcullis_upgrades_total{protocol=\"other\"} 1",
        "portcullis_build_info{version=\"0.1.0\"} 1",
        "authorization_attempts_total{result=\"allowed\"} 2",
        "authorization_attempts_total{result=\"denied\"} 1",
        "authorization_duration_seconds_bucket{result=\"allowed\",le=\"0.001\"} 1",
        "authorization_duration_seconds_bucket{result=\"no-opinion\",le=\"16.384\"} 0",
        "authorization_duration_seconds_count{result=\"no-opinion\"} 1",
        "apiserver_authorization_decisions_total{decision=\"allowed\",name=\"rbac\",type=\"RBAC\"} 2",
        "apiserver_authorization_decisions_total{decision=\"denied\",name=\"hook\",type=\"Webhook\"} 1",
        "apiserver_authorization_match_condition_evaluation_errors_total{name=\"hook\",type=\"Webhook\"} 2",
        "apiserver_authorization_match_condition_exclusions_total{name=\"hook\",type=\"Webhook\"} 1",
        "apiserver_authorization_match_condition_evaluation_seconds_bucket{name=\"hook\",type=\"Webhook\",le=\"0.01\"} 1",
        "apiserver_authorization_match_condition_evaluation_seconds_bucket{name=\"hook\",type=\"Webhook\",le=\"0.25\"} 1",
        "apiserver_authorization_match_condition_evaluation_seconds_count{name=\"hook\",type=\"Webhook\"} 2",
        "apiserver_impersonation_attempts_total{decision=\"denied\",mode=\"\"} 1",
        "apiserver_impersonation_attempts_total{decision=\"allowed\",mode=\"user-info\"} 1",
        "apiserver_impersonation_authorization_attempts_total{decision=\"denied\",mode=\"legacy\"} 1",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
    }
}

/// What a reader of text format 0.0.4 holds a page to.
#[test]
fn the_page_is_well_formed() {
    let page = full_page();
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let mut samples = BTreeSet::new();
    let mut current = "";
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(families.insert(name, kind).is_none(), "{name} begins twice");
            current = name;
        } else if !line.starts_with("# HELP ") {
            let name = line.split(['{', ' ']).next().unwrap();
            let suffixes: &[&str] = match families[current] {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(
                suffixes.iter().any(|suffix| name == format!("{current}{suffix}")),
                "{line} in {current}"
            );
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(series), "{series} twice");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(page.ends_with('\n'));
    assert!(families.len() > 10);
}

#[test]
fn names_types_labels_and_buckets_are_those_of_kube_apiserver() {
    let recorded: Value =
        serde_json::from_str(include_str!("../../../../../testing/conformance/vectors/metrics_names.json"))
            .unwrap();
    let page = full_page();
    let mut checked = 0;
    for metric in recorded["metrics"].as_array().unwrap() {
        let name = metric["name"].as_str().unwrap();
        let Some(kind) = page.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))) else {
            continue;
        };
        checked += 1;
        assert_eq!(kind, metric["type"].as_str().unwrap(), "{name}");
        let sample = page.lines().find(|line| line.starts_with(name)).unwrap();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let labels: Vec<String> = sample
            .split_once('{')
            .map(|(_, rest)| {
                rest.split("\",").map(|label| label.split_once('=').unwrap().0.to_owned()).collect()
            })
            .unwrap_or_default();
        let labels: Vec<String> = labels.into_iter().filter(|label| label != "le").collect();
        assert_eq!(labels, texts(&metric["labels"]), "{name}");
        if kind == "histogram" {
            let bounds: Vec<String> = family(&page, &format!("{name}_bucket"))
                .iter()
                .map(|line| line.rsplit_once("le=\"").unwrap().1.split_once('"').unwrap().0.to_owned())
                .collect();
            for one_series in bounds.split_inclusive(|bound| bound == "+Inf") {
                assert_eq!(one_series, texts(&metric["buckets"]), "{name}");
            }
        }
    }
    assert_eq!(checked, 15, "every apiserver_* and authenti* family of ours is one of kube-apiserver's");
}

#[test]
fn a_label_value_cannot_leave_its_quotes() {
    let mut page = Exposition::default();
    page.family("x", Kind::Gauge, "X.").sample(&[("a", "\"} 1\nb \\ü")], 1);
    assert_eq!(page.finish(), "# HELP x X.\n# TYPE x gauge\nx{a=\"\\\"} 1\\nb \\\\ü\"} 1\n");
}
