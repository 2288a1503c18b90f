//! Finding the chains from a client's certificate to the client CA.

use jiff::Timestamp;

use super::{
    Refusal,
    certificate::{BadSignature, Certificate},
    constraints, policy,
};

/// How many signatures are checked for one client at most: what bounds the work that a client can
/// cause by sending many certificates of one name.
// UPSTREAM: maxChainSignatureChecks (kube-apiserver 1.36)
const MAX_SIGNATURE_CHECKS: usize = 100;

/// Leaf first, a certificate of the client CA last.
pub(super) type Chain<'a> = Vec<&'a Certificate>;

/// All chains from `leaf` to one of `roots` by way of `intermediates` that are good for client
/// authentication at `now`. There is at least one; if there is none, the error says why.
pub(super) fn find<'a>(
    leaf: &'a Certificate,
    roots: &'a [Certificate],
    intermediates: &'a [Certificate],
    now: Timestamp,
) -> Result<Vec<Chain<'a>>, Refusal> {
    check_alone(leaf, 0, now)?;
    let mut search = Search { roots, intermediates, now, signature_checks: 0, found: Vec::new() };
    if roots.iter().any(|root| root.fingerprint() == leaf.fingerprint()) {
        search.found.push(vec![leaf]);
    } else {
        search.extend(&mut vec![leaf])?;
    }
    select(search.found)
}

/// Whether a server's certificate that is trusted itself is good at `now`.
pub(super) fn check_trusted_server(certificate: &Certificate, now: Timestamp) -> Result<(), Refusal> {
    check_alone(certificate, 0, now)?;
    if certificate.extended_key_usage().server { Ok(()) } else { Err(Refusal::IncompatibleUsage) }
}

/// Those of `chains` that keep to policies, usages and name constraints as a whole. If there is
/// none, the error is that of the chain that came furthest.
fn select(chains: Vec<Chain<'_>>) -> Result<Vec<Chain<'_>>, Refusal> {
    let (mut good, mut wrong_usage, mut wrong_name) = (Vec::new(), None, None);
    for chain in chains {
        if !policy::are_valid(&chain) {
            continue;
        }
        // A usage that one certificate leaves out is lost to all below it.
        if chain.iter().any(|certificate| !certificate.extended_key_usage().client) {
            wrong_usage = Some(Refusal::IncompatibleUsage);
        } else if let Err(reason) = constraints::check(&chain) {
            wrong_name = Some(Refusal::NameConstraints(reason));
        } else {
            good.push(chain);
        }
    }
    if good.is_empty() { Err(wrong_name.or(wrong_usage).unwrap_or(Refusal::Policies)) } else { Ok(good) }
}

/// What must hold of a certificate with `intermediates_below` it, whatever its chain.
fn check_alone(certificate: &Certificate, intermediates_below: usize, now: Timestamp) -> Result<(), Refusal> {
    if certificate.has_unhandled_critical_extension() {
        return Err(Refusal::UnhandledCriticalExtension);
    }
    if certificate.is_not_yet_valid_at(now) {
        return Err(Refusal::NotYetValid { now, from: certificate.not_before() });
    }
    if certificate.is_expired_at(now) {
        return Err(Refusal::Expired { now, until: certificate.not_after() });
    }
    let max = certificate.basic_constraints().and_then(|constraints| constraints.max_path_len);
    if max.is_some_and(|max| intermediates_below as u64 > max) {
        return Err(Refusal::PathLength);
    }
    Ok(())
}

struct Search<'a> {
    roots: &'a [Certificate],
    intermediates: &'a [Certificate],
    now: Timestamp,
    signature_checks: usize,
    found: Vec<Chain<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Root,
    Intermediate,
}

impl<'a> Search<'a> {
    /// Adds every chain that begins with `chain` to `found`; if there is none, says why. Of several
    /// reasons it is the last one, and a bad signature counts as none.
    // UPSTREAM: so does Go, and the category of the error follows from it (kube-apiserver 1.36).
    fn extend(&mut self, chain: &mut Chain<'a>) -> Result<(), Refusal> {
        let Some(&child) = chain.last() else { return Ok(()) };
        let found_before = self.found.len();
        let mut outcome = Ok(());
        let mut hint = None;
        for (role, candidate) in self.candidates(child) {
            if candidate.key().is_none() || chain.iter().any(|member| member.is_same_entity(candidate)) {
                continue;
            }
            self.signature_checks += 1;
            if self.signature_checks > MAX_SIGNATURE_CHECKS {
                outcome = Err(Refusal::TooManySignatureChecks);
                continue;
            }
            if let Err(bad) = child.check_signature_of(candidate) {
                hint.get_or_insert(bad);
                continue;
            }
            outcome = self.append(role, candidate, chain);
        }
        if self.found.len() > found_before {
            return Ok(());
        }
        outcome.and(Err(Refusal::UnknownAuthority(hint)))
    }

    /// Goes on with `candidate`, which has signed the last of `chain`.
    fn append(
        &mut self,
        role: Role,
        candidate: &'a Certificate,
        chain: &mut Chain<'a>,
    ) -> Result<(), Refusal> {
        check_alone(candidate, chain.len() - 1, self.now)?;
        chain.push(candidate);
        let outcome = match role {
            Role::Root => {
                self.found.push(chain.clone());
                Ok(())
            }
            // A v1 certificate may be a root, never an intermediate.
            Role::Intermediate if !candidate.basic_constraints().is_some_and(|b| b.is_ca) => {
                Err(Refusal::UnknownAuthority(Some(BadSignature::NotACa)))
            }
            Role::Intermediate => self.extend(chain),
        };
        chain.pop();
        outcome
    }

    /// The certificates that `child` may be signed by, the likeliest first, roots before
    /// intermediates.
    fn candidates(&self, child: &Certificate) -> Vec<(Role, &'a Certificate)> {
        let named = |role, pool: &'a [Certificate]| {
            let mut named: Vec<_> =
                pool.iter().filter(|c| child.names_issuer(c)).map(|c| (role, c)).collect();
            named.sort_by_key(|(_, candidate)| child.key_id_distance(candidate));
            named
        };
        let mut candidates = named(Role::Root, self.roots);
        candidates.append(&mut named(Role::Intermediate, self.intermediates));
        candidates
    }
}
