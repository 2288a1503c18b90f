//! Jobs.

use k8s_openapi::api::batch::v1 as api;
use serde_json::{Value, json};
use types::Timestamp;

use super::{
    Cell, Column, FieldError, Kind, STATUS,
    apps::template_defaults,
    cells::{AGE, each, human},
    core::pod_defaults,
    define,
    rules::{immutable, pod_spec, require},
};
use crate::object::{default, enter, list, number, set, text, uid};

const GROUP: &str = "batch";
const TEMPLATE_CONTAINERS: &str = "/spec/template/spec/containers";

pub(super) const KINDS: &[Kind] = &[
    Kind {
        short_names: &["cj"],
        categories: &["all"],
        subresources: &[STATUS],
        columns: &[
            Column::new("Schedule", Cell::Text("/spec/schedule")),
            Column::new("Timezone", Cell::TextOrNone("/spec/timeZone")),
            Column::new("Suspend", Cell::With(|job| yes_no(job.pointer("/spec/suspend")))),
            Column::new("Active", Cell::Count("/status/active")),
            Column::new("Last Schedule", Cell::At(last_schedule)),
            AGE,
        ],
        prepare: |job, _| {
            pod_defaults(enter(job, &["spec", "jobTemplate", "spec", "template", "spec"]));
            default(job, &["spec", "concurrencyPolicy"], "Allow");
            default(job, &["spec", "suspend"], false);
        },
        validate: |job, _| require(job, &["spec.schedule"]),
        schema: define::<api::CronJob>(),
        generation: true,
        ..Kind::new(GROUP, "cronjobs", "cronjob", "CronJob")
    },
    Kind {
        categories: &["all"],
        subresources: &[STATUS],
        columns: &[
            Column::new("Status", Cell::With(status)),
            Column::new("Completions", Cell::With(completions)),
            Column::new("Duration", Cell::At(duration)),
            AGE,
            Column::wide("Containers", Cell::With(|job| each(job, TEMPLATE_CONTAINERS, "/name"))),
            Column::wide("Images", Cell::With(|job| each(job, TEMPLATE_CONTAINERS, "/image"))),
            Column::wide("Selector", Cell::Labels("/spec/selector/matchLabels")),
        ],
        fields: &[("status.successful", "/status/succeeded")],
        prepare,
        validate,
        schema: define::<api::Job>(),
        generation: true,
        ..Kind::new(GROUP, "jobs", "job", "Job")
    },
];

fn prepare(job: &mut Value, _: Option<&Value>) {
    template_defaults(job);
    for (member, value) in [
        ("completions", json!(1)),
        ("parallelism", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
    ] {
        default(job, &["spec", member], value);
    }
    // UPSTREAM: a job's pods are found by its own UID (kube-apiserver 1.36).
    if job.pointer("/spec/manualSelector") != Some(&Value::Bool(true)) {
        let (uid, name) = (uid(job).to_owned(), crate::object::name(job).to_owned());
        set(job, &["spec", "selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("job-name", &name),
        ] {
            set(job, &["spec", "template", "metadata", "labels", label], value.clone());
        }
    }
}

fn validate(job: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let nothing = Value::Null;
    let mut wrong = pod_spec(job.pointer("/spec/template/spec").unwrap_or(&nothing), "spec.template.spec");
    let policy = text(job, "/spec/template/spec/restartPolicy");
    if !matches!(policy, "Never" | "OnFailure") {
        let field = "spec.template.spec.restartPolicy";
        wrong.push(FieldError::unsupported(field, &format!("{policy:?}"), &["OnFailure", "Never"]));
    }
    wrong.extend(immutable(job, old, &["spec.completions", "spec.selector", "spec.template"]));
    wrong
}

fn condition<'a>(job: &'a Value, kind: &str) -> Option<&'a Value> {
    let holds = |c: &&Value| text(c, "/type") == kind && text(c, "/status") == "True";
    list(job, "/status/conditions").iter().find(holds)
}

fn status(job: &Value) -> String {
    if condition(job, "Complete").is_some() {
        "Complete".into()
    } else if condition(job, "Failed").is_some() {
        "Failed".into()
    } else if crate::object::is_terminating(job) {
        "Terminating".into()
    } else if job.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        "Suspended".into()
    } else {
        "Running".into()
    }
}

fn completions(job: &Value) -> String {
    format!("{}/{}", number(job, "/status/succeeded"), number(job, "/spec/completions"))
}

fn duration(job: &Value, now: Timestamp) -> String {
    let Ok(start) = text(job, "/status/startTime").parse::<Timestamp>() else { return String::new() };
    let end = text(job, "/status/completionTime").parse::<Timestamp>().unwrap_or(now);
    human(end.as_second() - start.as_second())
}

fn last_schedule(job: &Value, now: Timestamp) -> String {
    match text(job, "/status/lastScheduleTime") {
        "" => "<none>".into(),
        time => super::age(time, now),
    }
}

fn yes_no(value: Option<&Value>) -> String {
    if value == Some(&Value::Bool(true)) { "True".into() } else { "False".into() }
}
