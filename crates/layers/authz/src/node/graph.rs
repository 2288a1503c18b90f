//! The graph: which node reaches what, kept while objects come and go.
//!
//! kube-apiserver keeps edges and follows them for each question. Here the edges are followed when an
//! object changes instead: every vertex that a pod or volume names counts, for each node, the ways by
//! which the node reaches it, so that a question is one look-up however many pods or volumes share a
//! secret. The ways are
//!
//! ```text
//! node <- pod <- secret, configmap, serviceaccount, resourceclaim
//! node <- pod <- persistentvolumeclaim <- persistentvolume <- secret
//! node <- volumeattachment, resourceslice, podcertificaterequest
//! ```
//!
//! Invariant: a vertex counts one way for each pod of the node that names it, and one for each volume
//! that names it and that the node reaches; a volume counts one if its claim is reached. A vertex
//! without ways is not kept.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    object::{Facts, Key, KeyRef, Kind, NodeObject, PodFacts, Seen, VertexKind, VolumeFacts},
    reach::{Left, NodeId, Reach},
};
use crate::shards::Shards;

/// What nodes may read because of the objects that there are. A clone is cheap, and a change to one
/// leaves the other as it was.
#[derive(Clone, Default)]
pub struct Graph {
    objects: Shards<Arc<Key>, Object>,
    /// Whatever pods and volumes name, and the volumes themselves.
    reached: Shards<Arc<Key>, Reach>,
    /// The volumes that are bound to a claim, by the claim.
    volumes: Shards<Arc<Key>, Arc<Vec<Arc<Key>>>>,
    /// By name, as long as a pod is bound to it.
    nodes: Shards<Arc<str>, NodeUse>,
    next_node: u64,
}

#[derive(Clone)]
struct NodeUse {
    id: NodeId,
    pods: usize,
}

/// An object that is in the graph.
#[derive(Clone)]
pub(super) enum Object {
    Pod(Arc<PodVertex>),
    Volume(Arc<VolumeVertex>),
    /// The node it belongs to; empty for none.
    Bound(Arc<str>),
}

#[derive(Clone)]
pub(super) struct PodVertex {
    /// Never empty.
    pub(super) node: Arc<str>,
    id: NodeId,
    /// `None` if the pod was last seen without a node.
    seen: Option<Seen>,
    pub(super) references: Arc<[Arc<Key>]>,
}

pub(super) struct VolumeVertex {
    pub(super) claim: Arc<Key>,
    pub(super) secrets: Box<[Arc<Key>]>,
}

impl Graph {
    /// Takes in an object that is new, or changed as objects change.
    pub fn apply(&mut self, object: NodeObject) {
        let NodeObject { key, facts } = object;
        match facts {
            Facts::Pod(facts) => self.apply_pod(key, facts),
            Facts::Volume(facts) => self.apply_volume(key, facts),
            Facts::Bound(node) => self.apply_bound(key, &node),
        }
    }

    /// Takes an object out, if it is there. `namespace` plays no part for cluster-wide kinds.
    // UPSTREAM: the deletion of a pod without a node is passed over, also if an earlier state of it had
    // one, which no cluster lets happen (kube-apiserver 1.36)
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        let key = KeyRef { kind: kind.vertex(), namespace, name };
        if !matches!(self.objects.get(&key), Some(Object::Pod(pod)) if pod.seen.is_none()) {
            self.remove_object(key);
        }
    }

    /// Makes `objects` all there is of `kind`: what a watch that starts anew needs. Objects of another
    /// kind are taken in like any.
    ///
    /// Whatever was deleted meanwhile is forgotten, also where another object has its name by now.
    // UPSTREAM: the other object counts as an update, so a pod that has no node yet keeps the ways of the
    // one before it, and a slice its node (kube-apiserver 1.36); the latter is nobody's wish.
    pub fn replace(&mut self, kind: Kind, objects: impl IntoIterator<Item = NodeObject>) {
        let mut gone: BTreeSet<Arc<Key>> = self.keys(kind).cloned().collect();
        for object in objects {
            gone.remove(&object.key);
            if self.is_another(&object) {
                self.remove_object(object.key.borrowed());
            }
            self.apply(object);
        }
        for key in gone {
            self.remove_object(key.borrowed());
        }
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.reached.is_empty() && self.volumes.is_empty() && self.nodes.is_empty()
    }

    /// How many objects of `kind` are kept, by counting them; pods without a node and volumes without a
    /// claim are not.
    pub fn count(&self, kind: Kind) -> usize {
        self.keys(kind).count()
    }

    /// The nodes that an object belongs to, by name: found by looking through all of them.
    pub fn nodes(&self) -> BTreeSet<&str> {
        let nodes = self.objects.iter().filter_map(|(_, object)| match object {
            Object::Pod(pod) => Some(&*pod.node),
            Object::Bound(node) => Some(&**node).filter(|node| !node.is_empty()),
            Object::Volume(_) => None,
        });
        nodes.collect()
    }

    /// Whether there is a way from `node` to the vertex.
    pub(super) fn reaches(&self, node: &str, vertex: KeyRef<'_>) -> bool {
        match vertex.kind {
            VertexKind::Node => false,
            VertexKind::Pod
            | VertexKind::VolumeAttachment
            | VertexKind::ResourceSlice
            | VertexKind::PodCertificateRequest => self.objects.get(&vertex).is_some_and(|o| o.is_of(node)),
            VertexKind::ConfigMap
            | VertexKind::PersistentVolume
            | VertexKind::PersistentVolumeClaim
            | VertexKind::ResourceClaim
            | VertexKind::Secret
            | VertexKind::ServiceAccount => self
                .reached
                .get(&vertex)
                .is_some_and(|reach| self.nodes.get(node).is_some_and(|node| reach.has(node.id))),
        }
    }

    /// The objects of the graph, in no order.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&Arc<Key>, &Object)> {
        self.objects.iter()
    }

    pub(super) fn object(&self, key: KeyRef<'_>) -> Option<&Object> {
        self.objects.get(&key)
    }

    fn keys(&self, kind: Kind) -> impl Iterator<Item = &Arc<Key>> {
        self.objects.iter().map(|(key, _)| key).filter(move |key| key.kind == kind.vertex())
    }

    /// Whether the object cannot be a later state of the one that the graph knows by its name.
    fn is_another(&self, object: &NodeObject) -> bool {
        match (self.objects.get(&object.key.borrowed()), &object.facts) {
            (Some(Object::Pod(known)), Facts::Pod(now)) => {
                known.seen.as_ref().is_none_or(|seen| seen.uid != now.seen.uid)
            }
            (Some(known), Facts::Bound(node)) => !known.is_of(node),
            _ => false,
        }
    }

    // UPSTREAM: a pod without a node is passed over and leaves the ways of an earlier state that had one,
    // which no cluster lets happen (kube-apiserver 1.36)
    fn apply_pod(&mut self, key: Key, facts: PodFacts) {
        let PodFacts { node, seen, references } = facts;
        let known = match self.objects.get(&key.borrowed()) {
            Some(Object::Pod(pod)) => Some(Arc::clone(pod)),
            _ => None,
        };
        if node.is_empty() {
            if let Some(known) = known {
                self.put(key, known.last_seen(None));
            }
            return;
        }
        if let Some(known) = known
            && let Some(before) = &known.seen
            && *known.node == *node
            && !seen.has_news(before)
        {
            if seen != *before {
                self.put(key, known.last_seen(Some(seen)));
            }
            return;
        }
        self.remove_object(key.borrowed());
        let (node, id) = self.take_node(&node);
        let references = references.into_iter().map(|named| self.add_way(Arc::new(named), id)).collect();
        self.put(key, Object::Pod(Arc::new(PodVertex { node, id, seen: Some(seen), references })));
    }

    fn apply_volume(&mut self, key: Key, facts: VolumeFacts) {
        self.remove_object(key.borrowed());
        let Some(claim) = facts.claim else { return };
        let claim = Arc::new(claim);
        let secrets = facts.secrets.into_iter().map(Arc::new).collect();
        let key =
            self.put(key, Object::Volume(Arc::new(VolumeVertex { claim: Arc::clone(&claim), secrets })));
        for node in self.nodes_of(&claim) {
            self.add_way(Arc::clone(&key), node);
        }
        match self.volumes.get_mut(&claim) {
            Some(bound) => Arc::make_mut(bound).push(key),
            None => drop(self.volumes.insert(claim, Arc::new(vec![key]))),
        }
    }

    // UPSTREAM: updates of ResourceSlices and PodCertificateRequests are not looked at, their node being
    // immutable (kube-apiserver 1.36)
    fn apply_bound(&mut self, key: Key, node: &str) {
        let known = self.objects.get(&key.borrowed());
        if known.is_none_or(|known| key.kind == VertexKind::VolumeAttachment && !known.is_of(node)) {
            self.put(key, Object::Bound(node.into()));
        }
    }

    fn put(&mut self, key: Key, object: Object) -> Arc<Key> {
        let key = Arc::new(key);
        self.objects.insert(Arc::clone(&key), object);
        key
    }

    fn remove_object(&mut self, key: KeyRef<'_>) {
        let Some(object) = self.objects.get(&key).cloned() else { return };
        match object {
            Object::Pod(pod) => {
                for named in &*pod.references {
                    self.remove_way(named.borrowed(), pod.id);
                }
                self.release_node(&pod.node);
            }
            Object::Volume(volume) => {
                for node in self.nodes_of(&volume.claim) {
                    self.remove_way(key, node);
                }
                if let Some(bound) = self.volumes.get_mut(&volume.claim) {
                    Arc::make_mut(bound).retain(|volume| volume.borrowed() != key);
                    if bound.is_empty() {
                        self.volumes.remove(&volume.claim);
                    }
                }
            }
            Object::Bound(_) => {}
        }
        self.objects.remove(&key);
    }

    /// One more way from a node to a vertex, and if it is the first, to whatever lies behind it. The key
    /// comes back as the graph keeps it.
    fn add_way(&mut self, key: Arc<Key>, node: NodeId) -> Arc<Key> {
        let (key, is_first) = match self.reached.get_key_value_mut(&key.borrowed()) {
            Some((known, reach)) => (Arc::clone(known), reach.add(node)),
            None => {
                self.reached.insert(Arc::clone(&key), Reach::One(node, 1));
                (key, true)
            }
        };
        if is_first {
            for next in self.behind(key.borrowed()) {
                self.add_way(next, node);
            }
        }
        key
    }

    /// The reverse of [`Graph::add_way`].
    fn remove_way(&mut self, key: KeyRef<'_>, node: NodeId) {
        let Some(reach) = self.reached.get_mut(&key) else { return };
        let left = reach.remove(node);
        if left == Left::Nothing {
            self.reached.remove(&key);
        }
        if left != Left::Ways {
            for next in self.behind(key) {
                self.remove_way(next.borrowed(), node);
            }
        }
    }

    /// What a node reaches through a vertex that it reaches: from a claim its volumes, from a volume its
    /// secrets, and nothing further.
    fn behind(&self, key: KeyRef<'_>) -> Vec<Arc<Key>> {
        match key.kind {
            VertexKind::PersistentVolumeClaim => {
                self.volumes.get(&key).map(|volumes| volumes.to_vec()).unwrap_or_default()
            }
            VertexKind::PersistentVolume => match self.objects.get(&key) {
                Some(Object::Volume(volume)) => volume.secrets.to_vec(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn nodes_of(&self, key: &Key) -> Vec<NodeId> {
        self.reached.get(&key.borrowed()).map(Reach::nodes).unwrap_or_default()
    }

    fn take_node(&mut self, name: &str) -> (Arc<str>, NodeId) {
        let next = NodeId(self.next_node);
        if let Some((name, node)) = self.nodes.get_key_value_mut(name) {
            node.pods += 1;
            return (Arc::clone(name), node.id);
        }
        let name: Arc<str> = name.into();
        self.nodes.insert(Arc::clone(&name), NodeUse { id: next, pods: 1 });
        self.next_node += 1;
        (name, next)
    }

    fn release_node(&mut self, name: &str) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.pods -= 1;
        if node.pods == 0 {
            self.nodes.remove(name);
        }
    }
}

impl PodVertex {
    fn last_seen(&self, seen: Option<Seen>) -> Object {
        Object::Pod(Arc::new(Self { seen, ..self.clone() }))
    }
}

impl Object {
    fn is_of(&self, node: &str) -> bool {
        match self {
            Self::Pod(pod) => *pod.node == *node,
            Self::Bound(of) => **of == *node,
            Self::Volume(_) => false,
        }
    }
}
