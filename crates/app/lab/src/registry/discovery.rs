//! Endpoint slices.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::Value;

use super::{
    Cell, Column, Kind,
    cells::{AGE, joined, none_if_empty},
    define,
    rules::require,
};
use crate::object::{default, list, number};

pub(super) const KINDS: &[Kind] = &[Kind {
    columns: &[
        Column::new("AddressType", Cell::Text("/addressType")),
        Column::new("Ports", Cell::With(ports)),
        Column::new("Endpoints", Cell::With(endpoints)),
        AGE,
    ],
    schema: define::<EndpointSlice>(),
    prepare: |slice, _| {
        // UPSTREAM: a port without a name has an empty one (kube-apiserver 1.36); kubectl 1.37 crashes on
        // one that has none.
        for port in slice.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            default(port, &["name"], "");
            default(port, &["protocol"], "TCP");
        }
    },
    validate: |slice, _| require(slice, &["addressType"]),
    ..Kind::new("discovery.k8s.io", "endpointslices", "endpointslice", "EndpointSlice")
}];

fn ports(slice: &Value) -> String {
    let ports = list(slice, "/ports").iter().map(|port| number(port, "/port").to_string());
    let shown = ports.collect::<Vec<_>>().join(",");
    if shown.is_empty() { "<unset>".into() } else { shown }
}

fn endpoints(slice: &Value) -> String {
    let addresses = list(slice, "/endpoints").iter().map(|endpoint| joined(endpoint, "/addresses"));
    none_if_empty(addresses.collect::<Vec<_>>().join(","))
}
