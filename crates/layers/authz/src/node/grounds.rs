//! On what grounds a node may: for people who want to know.

use std::{fmt, sync::Arc};

use types::{Evidence, ObjectName};

use super::{
    decide::Grant,
    graph::{Graph, Object, PodVertex},
    object::{Key, KeyRef, VertexKind},
};

/// Why a node may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// A rule of ClusterRole `system:node`, which the authorizer has built in.
    Rule,
    /// It asks for its own Node, Lease or CSINode, or narrows a list to what belongs to it.
    Own,
    /// Any node may; admission looks at the object.
    Any,
    /// There is a way in the graph.
    Path(Path),
}

/// A way in the graph, from what is asked for to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Vertex>);

/// A vertex on a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// What it is.
    pub kind: VertexKind,
    /// Empty for cluster-wide kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Path {
    /// From what is asked for to the node; never empty.
    pub fn vertices(&self) -> &[Vertex] {
        &self.0
    }
}

impl fmt::Display for Path {
    /// `secret prod/db <- pod prod/web-0 <- node node1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Vertex { kind, namespace, name }) in self.0.iter().enumerate() {
            let arrow = if number == 0 { "" } else { " <- " };
            let slash = if namespace.is_empty() { "" } else { "/" };
            write!(f, "{arrow}{} {namespace}{slash}{name}", kind.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule => f.write_str("a rule for all nodes"),
            Self::Own => f.write_str("the node's own"),
            Self::Any => f.write_str("any node may, admission looks at the object"),
            Self::Path(path) => path.fmt(f),
        }
    }
}

impl Grounds {
    /// The same for those who ask why.
    pub(crate) fn evidence(&self) -> Evidence {
        let path = match self {
            Self::Path(path) => path
                .vertices()
                .iter()
                .map(|vertex| ObjectName::new(vertex.kind.as_str(), &*vertex.namespace, &*vertex.name))
                .collect(),
            Self::Rule | Self::Own | Self::Any => Vec::new(),
        };
        Evidence::Node { grounds: self.to_string(), path }
    }
}

/// The grounds of a grant. It takes as long as looking through all pods, and only people ask for it.
pub(super) fn grounds(graph: &Graph, node: &str, grant: Grant<'_>) -> Grounds {
    match grant {
        Grant::Rule => Grounds::Rule,
        Grant::Own => Grounds::Own,
        Grant::Any => Grounds::Any,
        Grant::Graph(vertex) => {
            let mut vertices = way(graph, node, vertex);
            vertices.push(Vertex { kind: VertexKind::Node, namespace: String::new(), name: node.to_owned() });
            Grounds::Path(Path(vertices))
        }
    }
}

/// The way from a vertex that the node reaches up to, and without, the node: the shortest, and of
/// several the first by namespace and name.
fn way(graph: &Graph, node: &str, vertex: KeyRef<'_>) -> Vec<Vertex> {
    let mut way = vec![Vertex::from(vertex)];
    if vertex.kind == VertexKind::PersistentVolume {
        if let Some(Object::Volume(volume)) = graph.object(vertex) {
            way.extend(self::way(graph, node, volume.claim.borrowed()));
        }
    } else if let Some(pod) = first_pod(graph, node, vertex) {
        way.push(Vertex::from(pod.borrowed()));
    } else if let Some(volume) = first_volume(graph, node, vertex) {
        way.extend(self::way(graph, node, volume.borrowed()));
    }
    way
}

fn first_pod<'a>(graph: &'a Graph, node: &str, named: KeyRef<'_>) -> Option<&'a Arc<Key>> {
    let names = |pod: &PodVertex| pod.references.iter().any(|key| key.borrowed() == named);
    let pods = graph
        .objects()
        .filter(|(_, object)| matches!(object, Object::Pod(pod) if *pod.node == *node && names(pod)));
    pods.map(|(key, _)| key).min()
}

fn first_volume<'a>(graph: &'a Graph, node: &str, secret: KeyRef<'_>) -> Option<&'a Arc<Key>> {
    let volumes = graph.objects().filter(|(key, object)| {
        matches!(object, Object::Volume(volume) if volume.secrets.iter().any(|key| key.borrowed() == secret))
            && graph.reaches(node, key.borrowed())
    });
    volumes.map(|(key, _)| key).min()
}

impl From<KeyRef<'_>> for Vertex {
    fn from(KeyRef { kind, namespace, name }: KeyRef<'_>) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}
