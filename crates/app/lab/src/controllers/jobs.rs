//! A job runs pods until enough of them have ended well.

use serde_json::Value;

use super::{
    key_of, revise,
    workload::{controlled, create_pod, has_ended, set_condition},
};
use crate::{
    object::{default, number, set, text},
    registry,
    rest::{Api, seconds},
};

pub(super) fn look(api: &Api, job: &Value) {
    let Some(kind) = registry::by_kind("batch", "Job") else { return };
    if job.pointer("/spec/suspend") == Some(&Value::Bool(true))
        || !text(job, "/status/completionTime").is_empty()
    {
        return;
    }
    let pods = controlled(api, "pods", job);
    let in_phase = |phase: &str| count(pods.iter().filter(|pod| text(pod, "/status/phase") == phase).count());
    let (succeeded, failed) = (in_phase("Succeeded"), in_phase("Failed"));
    let active = count(pods.iter().filter(|pod| !has_ended(pod)).count());
    let left = (number(job, "/spec/completions") - succeeded).max(0);
    let wanted = left.min(number(job, "/spec/parallelism"));
    for _ in active..wanted {
        create_pod(api, kind, job, None);
    }
    let now = seconds(api.now());
    revise(api, &key_of("jobs", job), |object| {
        default(object, &["status", "startTime"], now.clone());
        for (member, value) in
            [("succeeded", succeeded), ("failed", failed), ("active", active), ("ready", 0)]
        {
            set(object, &["status", member], value);
        }
        if left == 0 {
            set(object, &["status", "completionTime"], now.clone());
            let message = "Reached expected number of succeeded pods";
            set_condition(object, "SuccessCriteriaMet", "True", "CompletionsReached", message, &now);
            set_condition(object, "Complete", "True", "CompletionsReached", message, &now);
        }
    });
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
