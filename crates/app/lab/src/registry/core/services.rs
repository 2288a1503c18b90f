//! Services.

use serde_json::{Value, json};

use super::{
    AGE, Cell, Column, FieldError, Kind, NameRule, STATUS, api, core, default, define, each, joined, list,
    none_if_empty, number, set, text,
};

pub(super) const SERVICES: Kind = Kind {
    short_names: &["svc"],
    categories: &["all"],
    subresources: &[STATUS],
    columns: &[
        Column::new("Type", Cell::Text("/spec/type")),
        Column::new("Cluster-IP", Cell::TextOrNone("/spec/clusterIP")),
        Column::new("External-IP", Cell::With(external)),
        Column::new("Port(s)", Cell::With(ports)),
        AGE,
        Column::wide("Selector", Cell::Labels("/spec/selector")),
    ],
    fields: &[("spec.clusterIP", "/spec/clusterIP"), ("spec.type", "/spec/type")],
    name_rule: NameRule::ServiceName,
    prepare,
    validate,
    ..core("services", "service", "Service", define::<api::Service>())
};

fn prepare(service: &mut Value, old: Option<&Value>) {
    default(service, &["spec", "type"], "ClusterIP");
    default(service, &["spec", "sessionAffinity"], "None");
    if let Some(Value::Array(ports)) = service.pointer_mut("/spec/ports") {
        for port in ports {
            default(port, &["protocol"], "TCP");
            let number = port.get("port").cloned().unwrap_or_default();
            default(port, &["targetPort"], number);
        }
    }
    if text(service, "/spec/type") == "ExternalName" {
        return;
    }
    default(service, &["spec", "internalTrafficPolicy"], "Cluster");
    default(service, &["spec", "ipFamilies"], json!(["IPv4"]));
    default(service, &["spec", "ipFamilyPolicy"], "SingleStack");
    let kept = old.map(|old| text(old, "/spec/clusterIP").to_owned()).unwrap_or_default();
    default(service, &["spec", "clusterIP"], if kept.is_empty() { address(service) } else { kept });
    let address = text(service, "/spec/clusterIP").to_owned();
    set(service, &["spec", "clusterIPs"], json!([address]));
    if old.is_none() {
        set(service, &["status"], json!({"loadBalancer": {}}));
    }
}

/// An address of 10.96.0.0/12 worked out from the service's UID: nothing in the lab routes it, so
/// that two services of one address (one in 65 000 pairs) harm nobody.
fn address(service: &Value) -> String {
    let hash = crate::object::uid(service).bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [.., a, b, c] = hash.to_be_bytes();
    format!("10.{}.{}.{}", 96 + a % 16, b, 2 + c % 250)
}

fn validate(service: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let headless = matches!(text(service, "/spec/clusterIP"), "None");
    let external = text(service, "/spec/type") == "ExternalName";
    let ports = list(service, "/spec/ports");
    if ports.is_empty() && !headless && !external {
        wrong.push(FieldError::required("spec.ports", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let value = number(port, "/port");
        if !(1..=65_535).contains(&value) {
            let field = format!("spec.ports[{index}].port");
            wrong.push(FieldError::invalid(field, &value.into(), "must be between 1 and 65535, inclusive"));
        }
        if ports.len() > 1 && text(port, "/name").is_empty() {
            wrong.push(FieldError::required(format!("spec.ports[{index}].name"), ""));
        }
    }
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let kind = text(service, "/spec/type");
    if !kinds.contains(&kind) {
        wrong.push(FieldError::unsupported("spec.type", &format!("{kind:?}"), &kinds));
    }
    if external && text(service, "/spec/externalName").is_empty() {
        wrong.push(FieldError::required("spec.externalName", ""));
    }
    if let Some(old) = old
        && !external
        && text(old, "/spec/type") != "ExternalName"
        && text(service, "/spec/clusterIP") != text(old, "/spec/clusterIP")
    {
        let shown = service.pointer("/spec/clusterIPs").cloned().unwrap_or_default();
        wrong.push(FieldError::invalid("spec.clusterIPs[0]", &shown, "may not change once set"));
    }
    wrong
}

fn external(service: &Value) -> String {
    match text(service, "/spec/type") {
        "ExternalName" => text(service, "/spec/externalName").into(),
        "LoadBalancer" => {
            let given = each(service, "/status/loadBalancer/ingress", "/ip");
            if given.is_empty() { "<pending>".into() } else { given }
        }
        _ => none_if_empty(joined(service, "/spec/externalIPs")),
    }
}

fn ports(service: &Value) -> String {
    let shown = list(service, "/spec/ports").iter().map(|port| {
        let (number, protocol, node) =
            (number(port, "/port"), text(port, "/protocol"), number(port, "/nodePort"));
        if node == 0 { format!("{number}/{protocol}") } else { format!("{number}:{node}/{protocol}") }
    });
    none_if_empty(shown.collect::<Vec<_>>().join(","))
}
