//! Network policies and ingresses.

use k8s_openapi::api::networking::v1 as api;
use serde_json::{Value, json};

use super::{
    Cell, Column, Kind, STATUS,
    cells::{AGE, each, none_if_empty},
    define,
};
use crate::object::{default, list, text};

const GROUP: &str = "networking.k8s.io";

pub(super) const KINDS: &[Kind] = &[
    Kind {
        short_names: &["ing"],
        subresources: &[STATUS],
        columns: &[
            Column::new("Class", Cell::TextOrNone("/spec/ingressClassName")),
            Column::new("Hosts", Cell::With(hosts)),
            Column::new(
                "Address",
                Cell::With(|ingress| each(ingress, "/status/loadBalancer/ingress", "/ip")),
            ),
            Column::new("Ports", Cell::With(ports)),
            AGE,
        ],
        schema: define::<api::Ingress>(),
        generation: true,
        ..Kind::new(GROUP, "ingresses", "ingress", "Ingress")
    },
    Kind {
        short_names: &["netpol"],
        columns: &[Column::new("Pod-Selector", Cell::With(pod_selector)), AGE],
        prepare: |policy, _| {
            // UPSTREAM: without policyTypes, Ingress always counts and Egress where it has rules
            // (kube-apiserver 1.36).
            let egress = !list(policy, "/spec/egress").is_empty();
            let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            default(policy, &["spec", "policyTypes"], types);
            default(policy, &["spec", "podSelector"], json!({}));
            for ports in ["/spec/ingress", "/spec/egress"] {
                let Some(Value::Array(rules)) = policy.pointer_mut(ports) else { continue };
                for port in
                    rules.iter_mut().filter_map(|rule| rule.get_mut("ports")?.as_array_mut()).flatten()
                {
                    default(port, &["protocol"], "TCP");
                }
            }
        },
        schema: define::<api::NetworkPolicy>(),
        generation: true,
        ..Kind::new(GROUP, "networkpolicies", "networkpolicy", "NetworkPolicy")
    },
];

fn hosts(ingress: &Value) -> String {
    let hosts: Vec<_> = list(ingress, "/spec/rules").iter().map(|rule| text(rule, "/host")).collect();
    if hosts.iter().all(|host| host.is_empty()) { "*".into() } else { hosts.join(",") }
}

fn ports(ingress: &Value) -> String {
    if list(ingress, "/spec/tls").is_empty() { "80".into() } else { "80, 443".into() }
}

fn pod_selector(policy: &Value) -> String {
    let labels = crate::object::map(policy, "/spec/podSelector/matchLabels").into_iter().flatten();
    let mut parts: Vec<_> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    for expression in list(policy, "/spec/podSelector/matchExpressions") {
        let (key, operator) = (text(expression, "/key"), text(expression, "/operator"));
        let values = super::cells::joined(expression, "/values");
        parts.push(match operator {
            "Exists" => key.into(),
            "DoesNotExist" => format!("!{key}"),
            _ => format!("{key} {} ({values})", operator.to_lowercase()),
        });
    }
    none_if_empty(parts.join(","))
}
