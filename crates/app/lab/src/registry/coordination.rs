//! Leases.

use k8s_openapi::api::coordination::v1::Lease;

use super::{Cell, Column, Kind, cells::AGE, define};

pub(super) const KINDS: &[Kind] = &[Kind {
    columns: &[Column::new("Holder", Cell::Text("/spec/holderIdentity")), AGE],
    schema: define::<Lease>(),
    ..Kind::new("coordination.k8s.io", "leases", "lease", "Lease")
}];
