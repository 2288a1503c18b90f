//! What a client wants to read: the whole object, a table of it, or its metadata.

use types::{Status, StatusDetails, StatusReason};

/// How an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As it is.
    Whole,
    /// `as=Table`
    Table,
    /// `as=PartialObjectMetadata`
    Metadata,
    /// `as=PartialObjectMetadataList`
    MetadataList,
    /// `as=APIGroupDiscoveryList`
    Aggregated,
}

/// The `Accept` header, read.
pub(super) struct Accept {
    /// Some clause can be answered at all.
    any: bool,
    /// What the clauses ask for, by weight.
    shapes: Vec<Shape>,
    /// The form of OpenAPI v2 that clients written in Go prefer.
    openapi_protobuf: bool,
}

const FORMS: &str = "application/json, application/yaml";

impl Accept {
    pub(super) fn parse(header: Option<&str>) -> Self {
        let Some(header) = header.filter(|header| !header.trim().is_empty()) else {
            return Self { any: true, shapes: vec![Shape::Whole], openapi_protobuf: false };
        };
        let mut clauses: Vec<_> = header.split(',').map(Clause::parse).collect();
        clauses.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let readable: Vec<_> = clauses.into_iter().filter(Clause::is_readable).collect();
        Self {
            any: !readable.is_empty(),
            shapes: readable.iter().filter_map(Clause::shape).collect(),
            openapi_protobuf: header.contains("proto-openapi.spec.v2"),
        }
    }

    /// How objects are shown; 406 where no clause can be met.
    pub(super) fn shape(&self) -> Result<Shape, Status> {
        if !self.any {
            let message = format!("406: Not Acceptable\n\nAvailable representations: {FORMS}");
            return Err(not_acceptable(message).with_details(StatusDetails::default()));
        }
        let shown = self.shapes.iter().find(|shape| **shape != Shape::Aggregated);
        shown
            .copied()
            .ok_or_else(|| not_acceptable(format!("only the following media types are accepted: {FORMS}")))
    }

    /// Whether discovery is wanted in one document.
    pub(super) fn wants_aggregated(&self) -> bool {
        self.shapes.first() == Some(&Shape::Aggregated)
    }

    /// Whether OpenAPI v2 is wanted as protobuf.
    pub(super) const fn wants_openapi_protobuf(&self) -> bool {
        self.openapi_protobuf
    }
}

/// A 406.
pub(super) fn not_acceptable(message: String) -> Status {
    Status::failure(406, StatusReason::NotAcceptable, message)
}

struct Clause<'a> {
    media: &'a str,
    transform: Option<&'a str>,
    group: &'a str,
    version: &'a str,
    weight: f64,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Self {
        let mut pieces = text.split(';').map(str::trim);
        let media = pieces.next().unwrap_or_default();
        let mut clause = Self { media, transform: None, group: "", version: "", weight: 1.0 };
        for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            match name.trim() {
                "as" => clause.transform = Some(value.trim()),
                "g" => clause.group = value.trim(),
                "v" => clause.version = value.trim(),
                "q" => clause.weight = value.trim().parse().unwrap_or(1.0),
                _ => {}
            }
        }
        clause
    }

    // UPSTREAM: `application/*` is refused, `*/*` is not (kube-apiserver 1.36). Protobuf and CBOR, which
    // a kube-apiserver has, are not written here: clients that prefer them name JSON as well.
    fn is_readable(&self) -> bool {
        matches!(self.media, "*/*" | "application/json" | "application/yaml")
    }

    fn shape(&self) -> Option<Shape> {
        match (self.transform, self.group, self.version) {
            (None, ..) => Some(Shape::Whole),
            (Some("Table"), "meta.k8s.io", "v1" | "v1beta1") => Some(Shape::Table),
            (Some("PartialObjectMetadata"), "meta.k8s.io", "v1" | "v1beta1") => Some(Shape::Metadata),
            (Some("PartialObjectMetadataList"), "meta.k8s.io", "v1" | "v1beta1") => Some(Shape::MetadataList),
            (Some("APIGroupDiscoveryList"), "apidiscovery.k8s.io", "v2") => Some(Shape::Aggregated),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Accept, Shape};

    #[test]
    fn takes_the_first_clause_that_can_be_met() {
        fn check(header: &str, expected: Result<Shape, u16>) {
            assert_eq!(
                Accept::parse(Some(header)).shape().map_err(|status| status.code),
                expected,
                "{header}"
            );
        }
        check("", Ok(Shape::Whole));
        check("*/*", Ok(Shape::Whole));
        check("application/*", Err(406));
        check("text/html", Err(406));
        check("application/json; charset=utf-8", Ok(Shape::Whole));
        check("application/vnd.kubernetes.protobuf,application/json", Ok(Shape::Whole));
        check("application/vnd.kubernetes.protobuf", Err(406));
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Ok(Shape::Table));
        check("application/json;as=Table;v=v9;g=meta.k8s.io", Err(406));
        check("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Ok(Shape::Whole));
        check("application/json;as=Table;v=v1;g=meta.k8s.io;q=0.1,application/json", Ok(Shape::Whole));
        check("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", Ok(Shape::Metadata));
        let discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                         application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert!(Accept::parse(Some(discovery)).wants_aggregated());
    }
}
