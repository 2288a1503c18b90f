//! Certificate policies: RFC 5280, section 6.1, as RFC 9618 amends it, for a verifier that asks for
//! no policy of its own. They matter only below a CA that demands an explicit policy.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    certificate::Certificate,
    der::{Reader, tag},
    extensions::policy_identifier,
};

/// An encoded object identifier.
type Policy = Box<[u8]>;

const ANY_POLICY: &[u8] = &[0x55, 29, 32, 0];

/// What a certificate says of policies. The limits count the certificates below it that are not
/// self-issued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Policies {
    pub(super) named: Vec<Policy>,
    /// Issuer's policy, subject's policy.
    pub(super) mappings: Vec<(Policy, Policy)>,
    pub(super) require_explicit: Option<u64>,
    pub(super) inhibit_mapping: Option<u64>,
    pub(super) inhibit_any: Option<u64>,
}

impl Policies {
    pub(super) fn read_policies(mut reader: Reader<'_>) -> Option<Vec<Policy>> {
        let mut list = reader.nested(tag::SEQUENCE)?;
        let mut seen = BTreeSet::new();
        let mut policies = Vec::new();
        while !list.is_empty() {
            let policy = policy_identifier(&mut list.nested(tag::SEQUENCE)?)?;
            if !seen.insert(policy) {
                return None;
            }
            policies.push(policy.into());
        }
        Some(policies)
    }

    pub(super) fn read_mappings(mut reader: Reader<'_>) -> Option<Vec<(Policy, Policy)>> {
        let mut list = reader.nested(tag::SEQUENCE)?;
        let mut mappings = Vec::new();
        while !list.is_empty() {
            let mut mapping = list.nested(tag::SEQUENCE)?;
            let issuers = mapping.body(tag::OBJECT_IDENTIFIER)?;
            let subjects = mapping.body(tag::OBJECT_IDENTIFIER)?;
            mappings.push((issuers.into(), subjects.into()));
        }
        Some(mappings)
    }

    pub(super) fn read_constraints(&mut self, mut reader: Reader<'_>) -> Option<()> {
        let mut fields = reader.nested(tag::SEQUENCE)?;
        if fields.next_is(tag::context(0)) {
            self.require_explicit = Self::limit(fields.integer_tagged(tag::context(0))?);
        }
        if fields.next_is(tag::context(1)) {
            self.inhibit_mapping = Self::limit(fields.integer_tagged(tag::context(1))?);
        }
        Some(())
    }

    /// A limit; one below zero sets none.
    pub(super) fn limit(value: i64) -> Option<u64> {
        u64::try_from(value).ok()
    }
}

/// The policies that are good at one depth of the chain, each with those expected one below.
type Stratum = BTreeMap<Policy, Vec<Policy>>;

/// Whether the policies of `chain` (leaf first, trust anchor last) allow it.
pub(super) fn are_valid(chain: &[&Certificate]) -> bool {
    let Some((leaf, _)) = chain.split_first() else { return false };
    let below_anchor = chain.len() - 1;
    if below_anchor == 0 {
        return true;
    }
    let never = below_anchor as u64 + 1;
    let (mut explicit, mut mapping, mut any) = (never, never, never);
    let any_policy = || Policy::from(ANY_POLICY);
    // `None` once a certificate named no policy at all.
    let mut good = Some(Stratum::from([(any_policy(), vec![any_policy()])]));
    for (index, certificate) in chain.iter().take(below_anchor).enumerate().rev() {
        let is_leaf = index == 0;
        let policies = certificate.policies();
        let self_issued = certificate.is_self_issued();
        if policies.named.is_empty() {
            good = None;
        }
        if explicit == 0 && good.is_none() {
            return false;
        }
        good = match good {
            None => None,
            Some(above) => {
                let with_any = any > 0 || (!is_leaf && self_issued);
                let mut stratum = descend(&above, &policies.named, with_any);
                if !is_leaf && !map(&mut stratum, &policies.mappings, mapping > 0) {
                    return false;
                }
                Some(stratum)
            }
        };
        if !is_leaf {
            for (limit, new) in [
                (&mut explicit, policies.require_explicit),
                (&mut mapping, policies.inhibit_mapping),
                (&mut any, policies.inhibit_any),
            ] {
                if !self_issued {
                    *limit = limit.saturating_sub(1);
                }
                *limit = new.map_or(*limit, |new| new.min(*limit));
            }
        }
    }
    explicit = explicit.saturating_sub(1);
    if leaf.policies().require_explicit == Some(0) {
        explicit = 0;
    }
    explicit > 0 || good.is_some_and(|stratum| !stratum.is_empty())
}

/// The policies good for a certificate that names `named`, below those good for its issuer.
fn descend(above: &Stratum, named: &[Policy], with_any: bool) -> Stratum {
    let expected: BTreeSet<&Policy> = above.values().flatten().collect();
    let mut stratum = Stratum::new();
    let mut keep = |policy: &Policy| {
        stratum.entry(policy.clone()).or_insert_with(|| vec![policy.clone()]);
    };
    for policy in named.iter().filter(|policy| ***policy != *ANY_POLICY) {
        if expected.contains(policy) || above.contains_key(ANY_POLICY) {
            keep(policy);
        }
    }
    if with_any && named.iter().any(|policy| **policy == *ANY_POLICY) {
        expected.into_iter().for_each(keep);
    }
    stratum
}

/// Applies the mappings of an intermediate; false if they may not be.
fn map(stratum: &mut Stratum, mappings: &[(Policy, Policy)], allowed: bool) -> bool {
    let mut targets: BTreeMap<&Policy, Vec<Policy>> = BTreeMap::new();
    for (issuers, subjects) in mappings {
        if !allowed {
            stratum.remove(issuers);
        } else if **issuers == *ANY_POLICY || **subjects == *ANY_POLICY {
            return false;
        } else {
            targets.entry(issuers).or_default().push(subjects.clone());
        }
    }
    let has_any = stratum.contains_key(ANY_POLICY);
    for (issuers, subjects) in targets {
        match stratum.get_mut(issuers) {
            Some(expected) => *expected = subjects,
            None if has_any => {
                stratum.insert(issuers.clone(), subjects);
            }
            None => {}
        }
    }
    true
}
