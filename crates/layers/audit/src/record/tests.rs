use std::net::Ipv4Addr;

use serde_json::{Value, json};
use types::{StatusDetails, selector::Selectors};

use super::*;
use crate::Policy;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn record(attributes: &Attributes<'_>, uri: &[u8], ips: &[IpAddr], agent: &[u8]) -> Record {
    let received = Received {
        audit_id: "e1b2",
        request_uri: uri,
        attributes,
        source_ips: ips,
        user_agent: agent,
        at: time("2026-11-21T20:43:51.123456789Z"),
    };
    Record::new(Policy::metadata().evaluate(attributes), &received).unwrap()
}

fn line(record: &Record, stage: Stage, outcome: Option<Outcome<'_>>) -> String {
    let mut out = Vec::new();
    assert!(record.write(&mut out, stage, outcome, time("2026-11-21T20:43:52Z")));
    String::from_utf8(out).unwrap()
}

fn pods<'a>(user: &'a User, selectors: &'a Selectors) -> Attributes<'a> {
    Attributes {
        user,
        verb: "get",
        resource_request: true,
        namespace: "prod",
        api_group: "",
        api_version: "v1",
        resource: "pods",
        subresource: "log",
        name: "web",
        path: "/api/v1/namespaces/prod/pods/web/log",
        selectors,
    }
}

#[test]
fn members_stand_in_the_order_of_kube_apiserver() {
    let mut user = User::new("alice", ["dev", "system:authenticated"]);
    user.uid = "7".into();
    user.extra.insert("b".into(), vec!["2".into(), "<".into()]);
    user.extra.insert("a".into(), vec![]);
    let selectors = Selectors::default();
    let attributes = pods(&user, &selectors);
    let ips = ["203.0.113.9".parse().unwrap(), "::ffff:10.0.0.1".parse().unwrap()];
    let mut record =
        record(&attributes, b"/api/v1/namespaces/prod/pods/web/log?a=1&b=\xff", &ips, b"kubectl/v1.36");
    record.annotate("z", "last");
    record.annotate("authorization.k8s.io/reason", "");
    record.annotate("authorization.k8s.io/decision", "forbid");
    record.annotate("z", "ignored: the first value stays");
    record.impersonated(&User::new("bob", ["ops"]), Some("impersonate:user-info"));
    let status = Status::failure(403, StatusReason::Forbidden, "pods \"web\" is forbidden")
        .with_details(StatusDetails { name: "web".into(), kind: "pods".into(), ..StatusDetails::default() });
    assert_eq!(
        line(&record, Stage::ResponseStarted, Some(Outcome::Status(&status))),
        concat!(
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"e1b2","#,
            r#""stage":"ResponseStarted","#,
            r#""requestURI":"/api/v1/namespaces/prod/pods/web/log?a=1\u0026b=\ufffd","verb":"get","#,
            r#""user":{"username":"alice","uid":"7","groups":["dev","system:authenticated"],"#,
            r#""extra":{"a":[],"b":["2","\u003c"]}},"#,
            r#""impersonatedUser":{"username":"bob","groups":["ops"]},"#,
            r#""authenticationMetadata":{"impersonationConstraint":"impersonate:user-info"},"#,
            r#""sourceIPs":["203.0.113.9","10.0.0.1"],"userAgent":"kubectl/v1.36","#,
            r#""objectRef":{"resource":"pods","namespace":"prod","name":"web","apiVersion":"v1","#,
            r#""subresource":"log"},"#,
            r#""responseStatus":{"metadata":{},"status":"Failure","message":"pods \"web\" is forbidden","#,
            r#""reason":"Forbidden","details":{"name":"web","kind":"pods"},"code":403},"#,
            r#""requestReceivedTimestamp":"2026-11-21T20:43:51.123456Z","#,
            r#""stageTimestamp":"2026-11-21T20:43:52.000000Z","#,
            r#""annotations":{"authorization.k8s.io/decision":"forbid","#,
            r#""authorization.k8s.io/reason":"","z":"last"}}"#,
            "\n"
        )
    );
}

#[test]
fn the_request_of_nobody_and_the_time_of_arrival() {
    let (nobody, selectors) = (User::default(), Selectors::default());
    let attributes = Attributes { resource_request: false, ..pods(&nobody, &selectors) };
    let long = [b'a'; 1025];
    let record = record(&attributes, b"/", &[], &long);
    let event: Value =
        serde_json::from_str(&line(&record, Stage::RequestReceived, None)).expect("an event is JSON");
    assert_eq!(event["user"], json!({}));
    assert_eq!(event["stageTimestamp"], event["requestReceivedTimestamp"]);
    assert_eq!(event["userAgent"], format!("{}...TRUNCATED", "a".repeat(1024)));
    for absent in ["objectRef", "sourceIPs", "responseStatus", "annotations", "impersonatedUser"] {
        assert_eq!(event.get(absent), None, "{absent}");
    }
}

#[test]
fn ends_without_a_response_of_the_upstream() {
    let (user, selectors) = (User::new("alice", ["dev"]), Selectors::default());
    let record = record(&pods(&user, &selectors), b"/", &[IpAddr::V4(Ipv4Addr::LOCALHOST)], b"");
    let check = |stage, outcome, expected: Value| {
        let event: Value = serde_json::from_str(&line(&record, stage, Some(outcome))).unwrap();
        assert_eq!(event["responseStatus"], expected);
    };
    check(Stage::ResponseComplete, Outcome::Code(204), json!({"metadata": {}, "code": 204}));
    check(
        Stage::ResponseComplete,
        Outcome::ClosedEarly,
        json!({"metadata": {}, "status": "Success", "message": "Connection closed early", "code": 200}),
    );
    check(
        Stage::Panic,
        Outcome::Panicked,
        json!({"metadata": {}, "status": "Failure", "message": "the gate panicked", "reason": "InternalError", "code": 500}),
    );
}

#[test]
fn the_policy_decides_what_goes_on_record() {
    let (user, selectors) = (User::new("alice", ["dev"]), Selectors::default());
    let attributes = pods(&user, &selectors);
    let received = Received {
        audit_id: "1",
        request_uri: b"/",
        attributes: &attributes,
        source_ips: &[],
        user_agent: b"",
        at: Timestamp::UNIX_EPOCH,
    };
    assert!(Record::new(Policy::none().evaluate(&attributes), &received).is_none());

    let mut evaluation = Policy::metadata().evaluate(&attributes);
    evaluation.omitted = evaluation.omitted.with(Stage::RequestReceived);
    let record = Record::new(evaluation, &received).unwrap();
    let mut out = Vec::new();
    for stage in Stage::ALL {
        let written = record.write(&mut out, stage, None, Timestamp::UNIX_EPOCH);
        assert_eq!(written, stage != Stage::RequestReceived);
    }
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
}

/// Every event that live servers wrote comes out again when its parts are put in, less the bodies
/// that are not on record at Metadata.
#[test]
fn events_of_live_servers_come_out_again() {
    let golden = include_str!("../../../../../testing/conformance/vectors/http_golden.jsonl");
    let mut seen = 0;
    for case in golden.lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        for event in case["expect"]["audit"].as_array().into_iter().flatten() {
            let mut expected = event.clone();
            let members = expected.as_object_mut().unwrap();
            members.remove("requestObject");
            members.remove("responseObject");
            members.insert("level".into(), "Metadata".into());
            if let Some(object) = members.get_mut("objectRef").and_then(Value::as_object_mut) {
                object.retain(|name, _| name != "uid" && name != "resourceVersion");
            }
            assert_eq!(rewritten(event), expected, "{}", case["id"]);
            seen += 1;
        }
    }
    assert!(seen > 1400, "only {seen} events");
}

fn rewritten(event: &Value) -> Value {
    let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let user: User = serde_json::from_value(event["user"].clone()).unwrap();
    let selectors = Selectors::default();
    let attributes = Attributes {
        user: &user,
        verb: text("/verb"),
        resource_request: event.get("objectRef").is_some(),
        namespace: text("/objectRef/namespace"),
        api_group: text("/objectRef/apiGroup"),
        api_version: text("/objectRef/apiVersion"),
        resource: text("/objectRef/resource"),
        subresource: text("/objectRef/subresource"),
        name: text("/objectRef/name"),
        path: "",
        selectors: &selectors,
    };
    let ips: Vec<IpAddr> = event["sourceIPs"]
        .as_array()
        .map(|ips| ips.iter().map(|ip| ip.as_str().unwrap().parse().unwrap()).collect())
        .unwrap_or_default();
    let received = Received {
        audit_id: text("/auditID"),
        request_uri: text("/requestURI").as_bytes(),
        attributes: &attributes,
        source_ips: &ips,
        user_agent: text("/userAgent").as_bytes(),
        at: Timestamp::UNIX_EPOCH,
    };
    let mut record = Record::new(Policy::metadata().evaluate(&attributes), &received).unwrap();
    if let Some(user) = event.get("impersonatedUser") {
        let constraint =
            event.pointer("/authenticationMetadata/impersonationConstraint").and_then(Value::as_str);
        record.impersonated(&serde_json::from_value(user.clone()).unwrap(), constraint);
    }
    for (key, value) in event["annotations"].as_object().into_iter().flatten() {
        record.annotate(key.clone(), value.as_str().unwrap().to_owned());
    }
    let given = &event["responseStatus"];
    let status = given.get("status").is_some().then(|| Status {
        code: given["code"].as_u64().unwrap().try_into().unwrap(),
        reason: reason(given["reason"].as_str().unwrap_or_default()),
        message: text("/responseStatus/message").into(),
        details: given.get("details").map(|details| serde_json::from_value(details.clone()).unwrap()),
    });
    let code = given["code"].as_u64().map(|code| u16::try_from(code).unwrap());
    let outcome = match (&status, text("/responseStatus/message"), code) {
        (Some(status), ..) => Some(Outcome::Status(status)),
        (None, "", Some(code)) => Some(Outcome::Code(code)),
        (None, message, Some(code)) => Some(Outcome::Message(code, message)),
        (None, _, None) => None,
    };
    let stage = *Stage::ALL.iter().find(|stage| stage.as_str() == text("/stage")).unwrap();
    let mut out = Vec::new();
    assert!(record.write(&mut out, stage, outcome, Timestamp::UNIX_EPOCH));
    let mut event: Value = serde_json::from_slice(&out).unwrap();
    for left_out in ["kind", "apiVersion", "requestReceivedTimestamp", "stageTimestamp"] {
        event.as_object_mut().unwrap().remove(left_out).expect("always there");
    }
    event
}

fn reason(text: &str) -> StatusReason {
    use StatusReason::*;
    *[
        Unknown,
        Unauthorized,
        Forbidden,
        NotFound,
        AlreadyExists,
        Conflict,
        Gone,
        Expired,
        Invalid,
        ServerTimeout,
        Timeout,
        TooManyRequests,
        BadRequest,
        MethodNotAllowed,
        NotAcceptable,
        RequestEntityTooLarge,
        UnsupportedMediaType,
        InternalError,
        ServiceUnavailable,
    ]
    .iter()
    .find(|reason| reason.as_str() == text)
    .unwrap_or_else(|| panic!("no StatusReason {text}"))
}
