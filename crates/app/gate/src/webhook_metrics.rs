//! Metrics of authorization webhooks, under kube-apiserver's names.

use remote::{BOUNDS, Remote, TryResult, WebhookCounts};
use telemetry::metrics::{Exposition, Kind};

/// Adds them to a page; nothing where there are no webhooks.
pub(crate) fn expose(remote: &Remote, page: &mut Exposition) {
    let webhooks = remote.webhook_counts();
    if webhooks.is_empty() {
        return;
    }
    let counts = || {
        webhooks.iter().flat_map(|WebhookCounts { name, results }| {
            let labels = move |result: TryResult| [("name", &**name), ("result", result.as_str())];
            results.iter().map(move |(result, counts)| (*result, labels(*result), counts))
        })
    };
    let help = "Round-trips to authorization webhooks.";
    let mut family = page.family("apiserver_authorization_webhook_evaluations_total", Kind::Counter, help);
    for (_, labels, counts) in counts() {
        family.sample(&labels, counts.count);
    }
    let help = "How long they took, in seconds.";
    let mut family = page.family("apiserver_authorization_webhook_duration_seconds", Kind::Histogram, help);
    for (_, labels, counts) in counts() {
        let bounds = BOUNDS.into_iter().zip(counts.below);
        family.histogram(&labels, bounds, counts.count, counts.seconds);
    }
    let help = "Requests left to the next authorizer because a webhook gave no answer.";
    let name = "apiserver_authorization_webhook_evaluations_fail_open_total";
    let mut family = page.family(name, Kind::Counter, help);
    for (_, labels, counts) in counts().filter(|(result, ..)| result.can_fail_open()) {
        family.sample(&labels, counts.fail_open);
    }
}
