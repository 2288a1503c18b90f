//! Layer 1: may this address reach the API at all?
//!
//! Judged when a connection is accepted, before a byte of TLS is read.

use std::{borrow::Cow, net::IpAddr};

use cidr::{Cidr, CidrSet};
use types::{Decision, Layer, Reason, Verdict};

/// The networks that may reach the API.
#[derive(Clone, Debug, Default)]
pub struct AllowList(Option<CidrSet>);

/// What the layer says to one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// There is no list: every address passes, and the layer reports itself as off.
    NotConfigured,
    /// The address lies in this network, the smallest of those that contain it.
    Allowed(Cidr),
    /// The address lies in no network of the list.
    Refused,
}

impl AllowList {
    /// No list: every address is allowed. The gate warns about it when it starts.
    pub fn not_configured() -> Self {
        Self(None)
    }

    /// Only these networks. An empty list allows nobody.
    pub fn new(networks: impl IntoIterator<Item = Cidr>) -> Self {
        Self(Some(networks.into_iter().collect()))
    }

    /// The networks of the list, in order; none where there is no list.
    pub fn networks(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.0.iter().flat_map(CidrSet::iter)
    }

    /// Judges the address that a connection comes from.
    pub fn judge(&self, peer: IpAddr) -> Judgement {
        match &self.0 {
            None => Judgement::NotConfigured,
            Some(networks) => networks.find(peer).map_or(Judgement::Refused, Judgement::Allowed),
        }
    }
}

impl Judgement {
    /// Whether the connection goes on.
    pub fn is_allowed(self) -> bool {
        match self {
            Self::NotConfigured | Self::Allowed(_) => true,
            Self::Refused => false,
        }
    }

    /// The judgement in the words of `explain`, logs and metrics.
    pub fn verdict(self, peer: IpAddr) -> Verdict {
        let (decision, reason, detail): (_, _, Cow<'static, str>) = match self {
            Self::NotConfigured => (
                Decision::Allow,
                Reason::NotConfigured,
                "no network is named, so every address passes".into(),
            ),
            Self::Allowed(network) => {
                (Decision::Allow, Reason::Passed, format!("{} lies in {network}", peer.to_canonical()).into())
            }
            Self::Refused => (
                Decision::Deny,
                Reason::AddressNotAllowed,
                format!("{} lies in no allowed network", peer.to_canonical()).into(),
            ),
        };
        Verdict { layer: Layer::Network, decision, reason, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_an_address() {
        fn check(list: &AllowList, peer: &str, allowed: bool, reason: Reason, detail: &str) {
            let peer = peer.parse().unwrap();
            let judgement = list.judge(peer);
            let verdict = judgement.verdict(peer);
            assert_eq!(judgement.is_allowed(), allowed, "{peer}");
            assert_eq!(verdict.decision == Decision::Allow, allowed, "{peer}");
            assert_eq!((verdict.layer, verdict.reason, &*verdict.detail), (Layer::Network, reason, detail));
        }
        let list = AllowList::new(["10.0.0.0/8", "10.1.0.0/16"].map(|text| text.parse().unwrap()));
        check(&list, "10.1.2.3", true, Reason::Passed, "10.1.2.3 lies in 10.1.0.0/16");
        check(&list, "::ffff:10.2.2.3", true, Reason::Passed, "10.2.2.3 lies in 10.0.0.0/8");
        check(&list, "192.0.2.1", false, Reason::AddressNotAllowed, "192.0.2.1 lies in no allowed network");
        check(&list, "::1", false, Reason::AddressNotAllowed, "::1 lies in no allowed network");
        assert_eq!(list.networks().map(|n| n.to_string()).collect::<Vec<_>>(), ["10.0.0.0/8", "10.1.0.0/16"]);

        let open = AllowList::not_configured();
        check(
            &open,
            "192.0.2.1",
            true,
            Reason::NotConfigured,
            "no network is named, so every address passes",
        );

        let shut = AllowList::new([]);
        check(&shut, "192.0.2.1", false, Reason::AddressNotAllowed, "192.0.2.1 lies in no allowed network");
    }
}
