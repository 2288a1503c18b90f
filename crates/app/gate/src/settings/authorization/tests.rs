use testkit::{Folder, Upstream};

use super::*;
use crate::{settings::authorization_state, status::State};

/// The chain that options make, or what is wrong with them.
fn chain(options: &Options) -> Result<(String, usize), String> {
    let mut warnings = Warnings::default();
    let modes = options.modes(&mut warnings).map_err(|error| error.to_string())?;
    let labels: Vec<String> = modes.iter().map(ModeSetting::label).collect();
    Ok((labels.join(","), warnings.0.len()))
}

fn modes(names: &[&str]) -> Options {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Options { authorization_mode: Some(names), ..Options::default() }
}

#[track_caller]
fn check(options: &Options, expected: Result<(&str, usize), &str>) {
    match (chain(options), expected) {
        (Ok((labels, warnings)), Ok(expected)) => assert_eq!((labels.as_str(), warnings), expected),
        (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
}

#[test]
fn modes_of_the_flag() {
    check(&Options::default(), Ok(("RBAC", 0)));
    check(&modes(&["AlwaysDeny", "RBAC"]), Ok(("AlwaysDeny,RBAC", 0)));
    check(&modes(&["RBAC", "AlwaysAllow"]), Ok(("RBAC,AlwaysAllow", 1)));
    check(&modes(&[]), Err("--authorization-mode: at least one"));
    check(&modes(&["RBAC", "RBAC"]), Err(r#"--authorization-mode: "RBAC" is given more than once"#));
    check(&modes(&["rbac"]), Err(r#""rbac" is not a valid mode"#));
    check(&modes(&["RBAC", ""]), Err(r#""" is not a valid mode"#));
    check(&modes(&["ABAC"]), Err("--authorization-mode: \"ABAC\": attribute-based"));
    check(&modes(&["Webhook"]), Err("--authorization-webhook-config-file is required"));
    let folder = Options { rbac_from: Some("rbac".into()), ..modes(&["AlwaysAllow"]) };
    check(&folder, Err("--rbac-from: no authorizer"));
}

#[test]
fn always_allow_lets_nobody_in_without_a_name() {
    let check = |options: Options, expected: bool| {
        let options = Options { anonymous_auth: true, ..options };
        let authn = options.authn(&mut Warnings::default()).unwrap();
        let states = options.layer_states(None, &authn);
        let told = states.authentication.1.ends_with("anonymous requests let in");
        assert_eq!((options.lets_anonymous_in(), told), (expected, expected));
        let mut warnings = Warnings::default();
        options.warn(&mut warnings, true, &authn);
        let without_effect = warnings.0.iter().any(|warning| warning.message.starts_with("has no effect"));
        assert_ne!(without_effect, expected);
    };
    check(Options::default(), true);
    check(modes(&["RBAC"]), true);
    check(modes(&["AlwaysAllow"]), false);
    check(modes(&["RBAC", "AlwaysAllow"]), false);
    let folder = Folder::new();
    let file = "{apiVersion: apiserver.config.k8s.io/v1, kind: AuthorizationConfiguration, \
                authorizers: [{type: AlwaysAllow, name: alwaysallow}]}";
    let file = folder.write("authz.yaml", file);
    check(Options { authorization_config: Some(file), ..Options::default() }, true);
}

#[test]
fn a_chain_that_refuses_nothing_is_off() {
    let (server, folder) = (Upstream::that_says_yes(), Folder::new());
    let file = folder.write("webhook.yaml", server.kubeconfig());
    let check = |names: &[&str], expected: State| {
        let webhook = names.contains(&"Webhook").then(|| file.clone());
        let options = Options { authorization_webhook_config_file: webhook, ..modes(names) };
        let modes = options.modes(&mut Warnings::default()).unwrap();
        assert_eq!(authorization_state(&modes, None).0, expected, "{names:?}");
    };
    check(&["RBAC"], State::On);
    check(&["AlwaysDeny"], State::On);
    check(&["AlwaysAllow", "Webhook"], State::Off);
    check(&["RBAC", "AlwaysDeny", "AlwaysAllow"], State::Off);
    check(&["Webhook", "AlwaysAllow"], State::On);
}

#[test]
fn the_webhook_of_the_flags() {
    let (server, folder) = (Upstream::that_says_yes(), Folder::new());
    let file = folder.write("webhook.yaml", server.kubeconfig());
    let webhook = Options { authorization_webhook_config_file: Some(file), ..modes(&["RBAC", "Webhook"]) };
    check(&webhook, Ok(("RBAC,Webhook default", 0)));
    let version = |version: &str| Options {
        authorization_webhook_version: Some(version.to_owned()),
        ..webhook.clone()
    };
    check(&version("v1"), Ok(("RBAC,Webhook default", 0)));
    check(&version("v2"), Err(r#"--authorization-webhook-version: "v2" is not supported"#));
    let alone = Options { authorization_mode: None, ..webhook.clone() };
    check(&alone, Err("--authorization-webhook-config-file: cannot be given without Webhook"));
    let off = Options { authorization_webhook_cache_authorized_ttl: Some(Duration::ZERO), ..webhook };
    assert_eq!(off.flagged_webhook().unwrap().ttls(), (Duration::ZERO, Duration::from_secs(30)));
}

#[test]
fn the_file_excludes_the_flags() {
    let (server, folder) = (Upstream::that_says_yes(), Folder::new());
    let kubeconfig = folder.write("webhook.yaml", server.kubeconfig());
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n";
    let webhook = |name: &str, connection: &str| {
        format!(
            "- type: Webhook\n  name: {name}\n  webhook: {{timeout: 3s, failurePolicy: Deny, subjectAccessReviewVersion: v1, \
             connectionInfo: {connection}}}\n"
        )
    };
    let connection = format!("{{type: KubeConfigFile, kubeConfigFile: '{}'}}", kubeconfig.display());
    let with = |text: String| Options {
        authorization_config: Some(folder.write("authz.yaml", format!("{head}{text}"))),
        ..Options::default()
    };
    let rbac = "- {type: RBAC, name: rbac}\n";
    let good = with(format!("{}{rbac}{}", webhook("one", &connection), webhook("two", &connection)));
    check(&good, Ok(("Webhook one,RBAC,Webhook two", 0)));
    let beside = Options { authorization_mode: Some(vec!["RBAC".to_owned()]), ..good.clone() };
    check(&beside, Err("--authorization-config: cannot be given beside --authorization-mode"));
    let beside = Options { authorization_webhook_cache_unauthorized_ttl: Some(Duration::ZERO), ..good };
    check(&beside, Err("beside --authorization-webhook-cache-unauthorized-ttl"));
    check(&with("- {type: AlwaysAllow, name: alwaysallow}\n".to_owned()), Ok(("AlwaysAllow", 1)));
    check(&with("- {type: ABAC, name: abac}\n".to_owned()), Err("--authorization-config: \"ABAC\""));
    check(&with(webhook("w", "{type: InClusterConfig}")), Err("webhook `w`: InClusterConfig"));
    check(&with("- {type: RBAC}\n".to_owned()), Err("authz.yaml:4: authorizers[0].name: Required value"));
    let nothing = folder.write("empty.yaml", "");
    let connection = format!("{{type: KubeConfigFile, kubeConfigFile: '{}'}}", nothing.display());
    check(&with(webhook("w", &connection)), Err("empty.yaml: empty: expected a kubeconfig"));
}
