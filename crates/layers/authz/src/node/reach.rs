//! Which nodes reach a vertex, and in how many ways.

use std::sync::Arc;

use hashbrown::HashMap;

/// A node's number: given when its first object comes, never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NodeId(pub(super) u64);

/// The nodes that reach a vertex, each with the number of its ways. Most vertices belong to one pod.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    One(NodeId, u32),
    /// Not empty. Shared, so that neighbours in a map can be copied without it.
    Many(Arc<HashMap<NodeId, u32>>),
}

impl Reach {
    pub(super) fn has(&self, node: NodeId) -> bool {
        match self {
            Self::One(only, _) => *only == node,
            Self::Many(nodes) => nodes.contains_key(&node),
        }
    }

    /// One more way from `node`; whether it is the first.
    pub(super) fn add(&mut self, node: NodeId) -> bool {
        match self {
            Self::One(only, ways) if *only == node => {
                *ways = ways.saturating_add(1);
                false
            }
            Self::One(only, ways) => {
                *self = Self::Many(Arc::new(HashMap::from([(*only, *ways), (node, 1)])));
                true
            }
            Self::Many(nodes) => {
                let ways = Arc::make_mut(nodes).entry(node).or_default();
                *ways = ways.saturating_add(1);
                *ways == 1
            }
        }
    }

    /// One way from `node` less; what is left of it.
    pub(super) fn remove(&mut self, node: NodeId) -> Left {
        match self {
            Self::One(only, ways) if *only == node => {
                *ways -= 1;
                if *ways == 0 { Left::Nothing } else { Left::Ways }
            }
            Self::One(..) => Left::Ways,
            Self::Many(nodes) => {
                let nodes = Arc::make_mut(nodes);
                let Some(ways) = nodes.get_mut(&node) else { return Left::Ways };
                *ways -= 1;
                if *ways > 0 {
                    return Left::Ways;
                }
                nodes.remove(&node);
                if nodes.is_empty() { Left::Nothing } else { Left::OtherNodes }
            }
        }
    }

    pub(super) fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::One(only, _) => vec![*only],
            Self::Many(nodes) => nodes.keys().copied().collect(),
        }
    }
}

/// What is left of a [`Reach`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The node still has ways.
    Ways,
    /// The node has none, others have.
    OtherNodes,
    /// Nobody has any.
    Nothing,
}
