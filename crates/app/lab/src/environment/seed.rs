//! What a fresh lab holds, as files.

use serde::Deserialize;
use serde_json::Value;
use types::Status;

use crate::{object, registry, rest::Api};

/// In the order in which they are needed: namespaces first.
const MANIFESTS: [(&str, &str); 3] = [
    ("cluster.yaml", include_str!("../../seed/cluster.yaml")),
    ("access.yaml", include_str!("../../seed/access.yaml")),
    ("workloads.yaml", include_str!("../../seed/workloads.yaml")),
];
/// UPSTREAM: the roles and bindings that a server makes at its first start (kube-apiserver 1.36)
const BOOTSTRAP_RBAC: &str = include_str!("../../seed/bootstrap_rbac.json");
/// UPSTREAM: the flow schemas and priority levels that a server makes at its first start
/// (kube-apiserver 1.36)
const BOOTSTRAP_APF: &str = include_str!("../../seed/bootstrap_apf.json");

/// Why the first objects cannot be made: a fault of this program, which its tests find.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A file cannot be read.
    #[error("{file}: {what}")]
    File {
        /// Which of the built-in files.
        file: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The API server does not take an object.
    #[error("{kind} `{name}`: {message}")]
    Refused {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Why.
        message: String,
    },
}

/// Puts the first objects into an empty store. Controllers do the rest.
pub fn plant(api: &Api) -> Result<(), SeedError> {
    let [cluster, others @ ..] = MANIFESTS;
    plant_manifests(api, cluster)?;
    for object in bootstrap_rbac()?.into_iter().chain(bootstrap_apf()?) {
        create(api, object)?;
    }
    others.into_iter().try_for_each(|file| plant_manifests(api, file))
}

fn plant_manifests(api: &Api, (file, text): (&'static str, &str)) -> Result<(), SeedError> {
    let wrong = |what: String| SeedError::File { file, what };
    for document in config::yaml::parse(file, text.as_bytes()).map_err(|error| wrong(error.to_string()))? {
        create(api, document.decode().map_err(|error| wrong(error.to_string()))?)?;
    }
    Ok(())
}

fn bootstrap_rbac() -> Result<Vec<Value>, SeedError> {
    #[derive(Deserialize)]
    struct List {
        items: Vec<Value>,
    }
    let list: List = json("bootstrap_rbac.json", BOOTSTRAP_RBAC)?;
    Ok(list.items)
}

fn bootstrap_apf() -> Result<Vec<Value>, SeedError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Apf {
        mandatory_priority_level_configurations: Vec<Value>,
        suggested_priority_level_configurations: Vec<Value>,
        mandatory_flow_schemas: Vec<Value>,
        suggested_flow_schemas: Vec<Value>,
    }
    let apf: Apf = json("bootstrap_apf.json", BOOTSTRAP_APF)?;
    Ok([
        apf.mandatory_priority_level_configurations,
        apf.suggested_priority_level_configurations,
        apf.mandatory_flow_schemas,
        apf.suggested_flow_schemas,
    ]
    .concat())
}

fn json<'a, T: Deserialize<'a>>(file: &'static str, text: &'a str) -> Result<T, SeedError> {
    serde_json::from_str(text).map_err(|error| SeedError::File { file, what: error.to_string() })
}

fn create(api: &Api, object: Value) -> Result<(), SeedError> {
    let kind = object::text(&object, "/kind").to_owned();
    let name = object::name(&object).to_owned();
    let group = object::text(&object, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let refused = |status: Status| SeedError::Refused {
        kind: kind.clone(),
        name: name.clone(),
        message: status.message,
    };
    match registry::by_kind(group, &kind) {
        Some(entry) => api.create(entry, object).map(drop).map_err(refused),
        None => Err(SeedError::Refused { kind, name, message: "the lab has no such kind".into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_objects_are_the_recorded_ones() {
        let vectors =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testing/conformance/vectors");
        for (file, ours) in [("bootstrap_rbac.json", BOOTSTRAP_RBAC), ("bootstrap_apf.json", BOOTSTRAP_APF)] {
            let recorded = std::fs::read_to_string(vectors.join(file)).unwrap();
            assert!(recorded == ours, "seed/{file} differs from the recorded one");
        }
        assert!(bootstrap_rbac().unwrap().len() > 100 && bootstrap_apf().unwrap().len() > 15);
    }
}
