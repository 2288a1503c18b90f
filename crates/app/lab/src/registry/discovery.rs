//! Endpoint slices.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::Value;

use super::{
    Cell, Column, Kind,
    cells::{AGE, joined, none_if_empty},
    define,
    rules::require,
};
use crate::object::{list, number};

pub(super) const KINDS: &[Kind] = &[Kind {
    columns: &[
        Column::new("AddressType", Cell::Text("/addressType")),
        Column::new("Ports", Cell::With(ports)),
        Column::new("Endpoints", Cell::With(endpoints)),
        AGE,
    ],
    schema: define::<EndpointSlice>(),
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
