//! `--what-if FLAG=VALUE`: another setting of authorization.

use std::{fmt, path::PathBuf, str::FromStr};

use gate::Options;

/// A flag of `serve` with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WhatIf {
    Modes(Vec<String>),
    Config(PathBuf),
}

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (flag, value) = text.split_once('=').unwrap_or((text, ""));
        match (flag.trim_start_matches("--"), value) {
            (_, "") => Err("expected FLAG=VALUE, such as `authorization-mode=RBAC`".to_owned()),
            ("authorization-mode", modes) => Ok(Self::Modes(modes.split(',').map(str::to_owned).collect())),
            ("authorization-config", file) => Ok(Self::Config(file.into())),
            (other, _) => Err(format!(
                "`{other}` cannot be tried: expected `authorization-mode` or `authorization-config`"
            )),
        }
    }
}

impl fmt::Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Modes(modes) => write!(f, "authorization-mode={}", modes.join(",")),
            Self::Config(file) => write!(f, "authorization-config={}", file.display()),
        }
    }
}

impl WhatIf {
    /// Puts the other value in the place of whatever the options say of authorizers.
    pub(super) fn apply(&self, options: &mut Options) {
        options.authorization_mode = None;
        options.authorization_config = None;
        match self {
            Self::Modes(modes) => {
                options.authorization_mode = Some(modes.clone());
                // It can stay only beside the mode that it is for.
                if !modes.iter().any(|mode| mode == "Webhook") {
                    options.authorization_webhook_config_file = None;
                }
            }
            Self::Config(file) => {
                options.authorization_config = Some(file.clone());
                options.authorization_webhook_config_file = None;
                options.authorization_webhook_version = None;
                options.authorization_webhook_cache_authorized_ttl = None;
                options.authorization_webhook_cache_unauthorized_ttl = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let check = |text: &str, expected: Result<&str, &str>| match (text.parse::<WhatIf>(), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        };
        check("authorization-mode=Node,RBAC", Ok("authorization-mode=Node,RBAC"));
        check("--authorization-config=a.yaml", Ok("authorization-config=a.yaml"));
        check("anonymous-auth=true", Err("`anonymous-auth` cannot be tried"));
        check("authorization-mode", Err("expected FLAG=VALUE"));
        check("authorization-mode=", Err("expected FLAG=VALUE"));
    }

    #[test]
    fn takes_the_place_of_every_other_choice() {
        let mut options = Options { authorization_config: Some("a.yaml".into()), ..Options::default() };
        WhatIf::Modes(vec!["AlwaysDeny".to_owned()]).apply(&mut options);
        assert!(options.reads_rbac().is_ok_and(|reads| !reads));
        WhatIf::Modes(vec!["RBAC".to_owned()]).apply(&mut options);
        assert!(options.reads_rbac().unwrap());
        WhatIf::Modes(vec!["rbac".to_owned()]).apply(&mut options);
        assert!(options.reads_rbac().unwrap_err().to_string().starts_with("--authorization-mode"));
    }
}
