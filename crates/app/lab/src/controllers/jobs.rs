//! A job runs pods until enough of them have ended well.

use serde_json::Value;

use super::{
    key_of, revise,
    workload::{controlled, create_pod, delete_pod, has_ended, is_ready, set_condition},
};
use crate::{
    object::{default, list, number, set, text},
    registry,
    rest::{Api, seconds},
};

pub(super) fn look(api: &Api, job: &Value) {
    let Some(kind) = registry::by_kind("batch", "Job") else { return };
    if job.pointer("/spec/suspend") == Some(&Value::Bool(true)) || has_finished(job) {
        return;
    }
    let pods = controlled(api, "pods", job);
    let in_phase = |phase: &str| count(pods.iter().filter(|pod| text(pod, "/status/phase") == phase).count());
    let (succeeded, failed) = (in_phase("Succeeded"), in_phase("Failed"));
    let running: Vec<_> = pods.iter().filter(|pod| !has_ended(pod)).collect();
    let left = (number(job, "/spec/completions") - succeeded).max(0);
    let gives_up = left > 0 && failed_too_often(job, failed, running.iter().map(|pod| restarts(pod)).sum());
    if gives_up {
        running.iter().for_each(|pod| delete_pod(api, pod));
    } else {
        // UPSTREAM: after a failure the next pod waits 10 s, then 20 s, … (kube-controller-manager 1.36);
        // here it does not
        let wanted = left.min(number(job, "/spec/parallelism"));
        for _ in count(running.len())..wanted {
            create_pod(api, kind, job, None);
        }
    }
    let active = if gives_up { 0 } else { count(running.len()) };
    let ready = if gives_up { 0 } else { count(running.iter().filter(|pod| is_ready(pod)).count()) };
    let now = seconds(api.now());
    revise(api, &key_of("jobs", job), |object| {
        default(object, &["status", "startTime"], now.clone());
        for (member, value) in
            [("succeeded", succeeded), ("failed", failed), ("active", active), ("ready", ready)]
        {
            set(object, &["status", member], value);
        }
        if left == 0 {
            set(object, &["status", "completionTime"], now.clone());
            let message = "Reached expected number of succeeded pods";
            set_condition(object, "SuccessCriteriaMet", "True", "CompletionsReached", message, &now);
            set_condition(object, "Complete", "True", "CompletionsReached", message, &now);
        } else if gives_up {
            let message = "Job has reached the specified backoff limit";
            set_condition(object, "FailureTarget", "True", "BackoffLimitExceeded", message, &now);
            set_condition(object, "Failed", "True", "BackoffLimitExceeded", message, &now);
        }
    });
}

fn has_finished(job: &Value) -> bool {
    let ends = |c: &Value| matches!(text(c, "/type"), "Complete" | "Failed") && text(c, "/status") == "True";
    list(job, "/status/conditions").iter().any(ends)
}

/// Whether a job is given up: too many pods have failed or, where containers are started again in
/// their pod, too many of them.
// UPSTREAM: more failed pods than `backoffLimit`, or that many restarts, or one if the limit is 0
// (kube-controller-manager 1.36)
fn failed_too_often(job: &Value, failed: i64, restarts: i64) -> bool {
    let limit = number(job, "/spec/backoffLimit");
    let restarts_count = text(job, "/spec/template/spec/restartPolicy") == "OnFailure";
    failed > limit || restarts_count && restarts >= limit.max(1)
}

fn restarts(pod: &Value) -> i64 {
    list(pod, "/status/containerStatuses").iter().map(|status| number(status, "/restartCount")).sum()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
