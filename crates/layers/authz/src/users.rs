//! Users as keys.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::DefaultHashBuilder;
use types::User;

/// Groups that go into a hash. To hash hundreds would cost as much as to compare them, which has to
/// follow in any case.
const HASHED: usize = 16;

/// So many users of one hash are worth comparing. Only such have the same as differ in nothing but
/// groups that are not hashed, and whoever may choose groups could make any number of them: no more are
/// kept.
pub(crate) const MOST_ALIKE: usize = 8;

/// A hash over name and groups: equal ones have the same, others hardly ever.
pub(crate) fn hash(user: &User, hasher: &DefaultHashBuilder) -> u64 {
    let mut hasher = hasher.build_hasher();
    (&user.name, user.groups.len()).hash(&mut hasher);
    let apart = user.groups.len().div_ceil(HASHED).max(1);
    user.groups.iter().step_by(apart).for_each(|group| group.hash(&mut hasher));
    hasher.finish()
}
