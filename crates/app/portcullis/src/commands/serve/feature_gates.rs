//! `--feature-gates`: those gates that change what the gate decides; all others are refused.

use gate::FeatureGates;

use super::boolean;

/// One gate, and whether it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    gate: Gate,
    on: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    ConstrainedImpersonation,
    PodCertificateRequest,
}

impl Gate {
    const ALL: [(&'static str, Self); 2] = [
        ("ConstrainedImpersonation", Self::ConstrainedImpersonation),
        ("PodCertificateRequest", Self::PodCertificateRequest),
    ];
}

/// Reads `Name=true`, blanks around both allowed.
pub(super) fn setting(text: &str) -> Result<Setting, String> {
    let (name, value) = text.split_once('=').ok_or("must be Name=true or Name=false")?;
    let (name, value) = (name.trim(), value.trim());
    let Some((_, gate)) = Gate::ALL.into_iter().find(|(known, _)| *known == name) else {
        let known = Gate::ALL.map(|(known, _)| known).join(", ");
        return Err(format!(
            "`{name}` is none of the feature gates that change what the gate decides ({known}); \
             set it on the API server behind the gate"
        ));
    };
    Ok(Setting { gate, on: boolean(value).map_err(|why| format!("{name} {why}"))? })
}

/// All of them together; the last setting of a gate counts.
pub(super) fn all(settings: &[Setting]) -> FeatureGates {
    let mut gates = FeatureGates::default();
    for Setting { gate, on } in settings {
        match gate {
            Gate::ConstrainedImpersonation => gates.constrained_impersonation = *on,
            Gate::PodCertificateRequest => gates.pod_certificate_request = *on,
        }
    }
    gates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_gates_only() {
        let check = |text: &str, expected: Result<bool, &str>| match (setting(text), expected) {
            (Ok(found), Ok(on)) => {
                let expected = FeatureGates { constrained_impersonation: on, ..FeatureGates::default() };
                assert_eq!(all(&[found]), expected, "{text}");
            }
            (Err(error), Err(why)) => assert!(error.contains(why), "{text}: {error}"),
            (found, _) => panic!("{text}: {found:?}"),
        };
        check("ConstrainedImpersonation=false", Ok(false));
        check("ConstrainedImpersonation=true", Ok(true));
        check(" ConstrainedImpersonation = 0 ", Ok(false));
        check("ConstrainedImpersonation=no", Err("ConstrainedImpersonation must be true or false"));
        check("ConstrainedImpersonation", Err("must be Name=true or Name=false"));
        check("AllBeta=false", Err("`AllBeta` is none of"));
        check("constrainedimpersonation=false", Err("`constrainedimpersonation` is none of"));
        check("=true", Err("`` is none of"));
        assert!(all(&[setting("PodCertificateRequest=true").unwrap()]).pod_certificate_request);
        let settings = ["ConstrainedImpersonation=false", "ConstrainedImpersonation=true"].map(setting);
        assert_eq!(all(&settings.map(Result::unwrap)), FeatureGates::default());
    }
}
