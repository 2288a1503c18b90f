//! The bindings of one holder, or to one role, in one scope.

use std::sync::Arc;

use super::{object::Binding, role_set::RoleNumber};

/// A piece is cut in two when it grows beyond this.
const MOST: usize = 256;

/// A binding that somebody holds, and as which of its subjects.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) binding: Arc<Binding>,
    /// The first of the binding's subjects that applies.
    pub(super) subject: u32,
}

/// Bindings in the order of their names, of which there is one each. In pieces, so that a change to a
/// group that holds thousands copies few of them.
#[derive(Clone, Default)]
pub(super) struct Holdings(Vec<Arc<Piece>>);

/// Two lists of one length; that of roles is walked for every new question.
#[derive(Clone, Default)]
struct Piece {
    roles: Vec<RoleNumber>,
    held: Vec<Held>,
}

impl Piece {
    fn iter(&self) -> impl Iterator<Item = (RoleNumber, &Held)> {
        self.roles.iter().copied().zip(&self.held)
    }
}

impl Held {
    fn name(&self) -> &str {
        &self.binding.key.name
    }

    /// Of two that could be named as a reason, this one is.
    pub(super) fn comes_before(&self, other: &Self) -> bool {
        (self.name(), self.subject) < (other.name(), other.subject)
    }
}

impl Holdings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are, unless there are more than `most`.
    pub(super) fn len_within(&self, most: usize) -> Option<usize> {
        // No piece is empty.
        let len = (self.0.len() <= most).then(|| self.0.iter().map(|piece| piece.roles.len()).sum());
        len.filter(|len| *len <= most)
    }

    /// About how many there are, where there are many; without a look at them.
    pub(super) fn about_len(&self) -> usize {
        self.0.len().saturating_sub(1) * (MOST / 2)
    }

    /// Every binding, and the number of its role.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RoleNumber, &Held)> {
        self.0.iter().flat_map(|piece| piece.iter())
    }

    /// Goes through all, in their order, until one of them is it. Says whether one was.
    ///
    /// A loop and not an iterator, since this is what is left of the number of bindings in the cost of
    /// some new questions: a nanosecond for each that the user holds.
    pub(super) fn any(&self, mut is_it: impl FnMut(RoleNumber, &Held) -> bool) -> bool {
        for piece in &self.0 {
            for (role, held) in piece.iter() {
                if is_it(role, held) {
                    return true;
                }
            }
        }
        false
    }

    pub(super) fn insert(&mut self, role: RoleNumber, held: Held) {
        if self.0.is_empty() {
            // Most have one binding and no room for more.
            self.0 = vec![Arc::new(Piece { roles: vec![role], held: vec![held] })];
            return;
        }
        let at = self.piece_of(held.name());
        let Some(piece) = self.0.get_mut(at).map(Arc::make_mut) else { return };
        match piece.held.binary_search_by(|known| known.name().cmp(held.name())) {
            Ok(place) => {
                piece.roles.get_mut(place).into_iter().for_each(|known| *known = role);
                piece.held.get_mut(place).into_iter().for_each(|known| *known = held.clone());
            }
            Err(place) => {
                piece.roles.insert(place, role);
                piece.held.insert(place, held);
            }
        }
        if piece.held.len() > MOST {
            let rest = Piece { roles: piece.roles.split_off(MOST / 2), held: piece.held.split_off(MOST / 2) };
            self.0.insert(at + 1, Arc::new(rest));
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        let at = self.piece_of(name);
        let Some(piece) = self.0.get_mut(at) else { return };
        let Ok(place) = piece.held.binary_search_by(|known| known.name().cmp(name)) else { return };
        let piece = Arc::make_mut(piece);
        piece.roles.remove(place);
        piece.held.remove(place);
        if piece.held.is_empty() {
            self.0.remove(at);
        }
    }

    /// The piece that has `name`, or would have it.
    fn piece_of(&self, name: &str) -> usize {
        let ends_before = |piece: &Arc<Piece>| piece.held.last().is_some_and(|last| last.name() < name);
        self.0.partition_point(ends_before).min(self.0.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::rbac::v1::RoleRef;

    use super::*;
    use crate::rbac::{Kind, object::Key};

    fn held(number: usize) -> Held {
        let name = format!("b{number:05}").into();
        let key = Key { kind: Kind::ClusterRoleBinding, namespace: "".into(), name };
        let binding = Binding { key, role: RoleRef::default(), subjects: Vec::new() };
        Held { binding: Arc::new(binding), subject: 0 }
    }

    fn numbers(holdings: &Holdings) -> Vec<RoleNumber> {
        holdings.iter().map(|(role, _)| role).collect()
    }

    #[test]
    fn stays_in_order_whatever_comes_and_goes() {
        // Every number below 4,099, stirred.
        let stirred = || (0..4099_usize).map(|n| n * 1_000 % 4099);
        let mut holdings = Holdings::default();
        for number in stirred() {
            holdings.insert(number as RoleNumber, held(number));
        }
        let before = holdings.clone();
        assert_eq!(numbers(&holdings), (0..4099).collect::<Vec<_>>());
        assert!(holdings.0.iter().all(|piece| (1..=MOST).contains(&piece.held.len())));
        holdings.insert(7, held(3));
        assert_eq!(numbers(&holdings).get(..5), Some(&[0, 1, 2, 7, 4][..]), "replaced in its place");
        for number in stirred().skip(1) {
            holdings.remove(&format!("b{number:05}"));
        }
        holdings.remove("b99999");
        holdings.remove("");
        assert_eq!(numbers(&holdings), [0]);
        holdings.remove("b00000");
        assert!(holdings.is_empty());
        assert_eq!(numbers(&before).len(), 4099, "a clone stays as it was");
    }
}
