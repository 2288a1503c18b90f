//! What the gate tells about itself: metrics and logs.

pub mod logging;
pub mod metrics;

pub use metrics::{
    AuditCounts, Authorization, AuthorizerSeries, Conditions, DryRun, InFlight, Metrics, OpenConnection,
    OpenStream, Protocol, RequestLabels, Series, Stream, Stripped, UpgradedTo, UpstreamFailure, Worker,
};
