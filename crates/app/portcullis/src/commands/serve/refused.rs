//! Flags of kube-apiserver that the gate does not take, each with the reason.

use std::{ffi::OsString, fmt};

/// A flag that is refused, unless it is given a value that asks for what the gate does anyway.
struct Refused {
    flag: &'static str,
    harmless: &'static [&'static str],
    reason: &'static str,
}

const fn no(flag: &'static str, reason: &'static str) -> Refused {
    Refused { flag, harmless: &[], reason }
}

const fn unless(flag: &'static str, harmless: &'static [&'static str], reason: &'static str) -> Refused {
    Refused { flag, harmless, reason }
}

const NOT_YET: &str = "the gate does not do this yet; without the flag it would silently be missing";
const OIDC: &str = "OpenID Connect tokens are not accepted yet";
const WEBHOOK_AUTHN: &str = "the token webhook is not asked yet";
const FRONT_PROXY: &str = "front proxies are not believed yet; X-Remote-* headers are always stripped";
const ISSUING: &str = "the gate verifies service-account tokens, the API server behind it issues them";
const ROTATION: &str = "the gate does not rotate its audit log; let logrotate do it, with SIGHUP afterwards";
const BATCH: &str = "batching is not configurable; --audit-log-mode=batch writes at most 10 ms late";
const TRUNCATE: &str = "events hold metadata only and are never truncated";
const AUDIT_WEBHOOK: &str = "audit events go to --audit-log-path only, so far";
const ABAC: &str =
    "attribute-based access control is not supported; its policies can be written as RBAC objects";
const ADMISSION: &str = "admission plugins run in the API server behind the gate";
const UPSTREAM: &str = "this is for the API server behind the gate";
const TLS_FIXED: &str = "the gate speaks TLS 1.2 and 1.3 with its library's cipher suites and curves";

/// Every flag of kube-apiserver 1.36's groups for serving, access, audit and admission that
/// `portcullis serve` does not take.
const REFUSED: &[Refused] = &[
    no("cert-dir", "the gate makes no certificates of its own; give --tls-cert-file"),
    no("tls-sni-cert-key", "one serving certificate is supported, so far"),
    no("tls-cipher-suites", TLS_FIXED),
    no("tls-curve-preferences", TLS_FIXED),
    unless("tls-min-version", &["VersionTLS12"], TLS_FIXED),
    unless("disable-http2-serving", &["false"], "HTTP/2 is always offered"),
    no("http2-max-streams-per-connection", "the gate allows 100"),
    unless("permit-address-sharing", &["true"], "the gate always sets SO_REUSEADDR"),
    unless("permit-port-sharing", &["false"], "a port that another process listens on is an error"),
    no("advertise-address", UPSTREAM),
    no("cors-allowed-origins", "browsers are not served across origins"),
    no("external-hostname", UPSTREAM),
    no("emulated-version", UPSTREAM),
    no("min-compatibility-version", UPSTREAM),
    no("emulation-forward-compatible", UPSTREAM),
    no("runtime-config-emulation-forward-compatible", UPSTREAM),
    no("goaway-chance", NOT_YET),
    no("livez-grace-period", "the gate has no start hooks"),
    no("min-request-timeout", UPSTREAM),
    no(
        "request-timeout",
        "the API server behind the gate ends ordinary requests; the gate waits 70 s for it",
    ),
    unless("send-retry-after-while-not-ready-once", &["false"], NOT_YET),
    no("shutdown-delay-duration", "see --shutdown-grace"),
    unless("shutdown-send-retry-after", &["false"], NOT_YET),
    no("shutdown-watch-termination-grace-period", "see --shutdown-grace"),
    no("storage-initialization-timeout", UPSTREAM),
    no("strict-transport-security-directives", NOT_YET),
    no("authentication-config", "structured authentication is not read yet"),
    no("authentication-token-webhook-config-file", WEBHOOK_AUTHN),
    no("authentication-token-webhook-version", WEBHOOK_AUTHN),
    no("authentication-token-webhook-cache-ttl", WEBHOOK_AUTHN),
    unless("enable-bootstrap-token-auth", &["false"], "bootstrap tokens are not accepted yet"),
    no("oidc-issuer-url", OIDC),
    no("oidc-client-id", OIDC),
    no("oidc-ca-file", OIDC),
    no("oidc-username-claim", OIDC),
    no("oidc-username-prefix", OIDC),
    no("oidc-groups-claim", OIDC),
    no("oidc-groups-prefix", OIDC),
    no("oidc-required-claim", OIDC),
    no("oidc-signing-algs", OIDC),
    no("requestheader-client-ca-file", FRONT_PROXY),
    no("requestheader-allowed-names", FRONT_PROXY),
    no("requestheader-username-headers", FRONT_PROXY),
    no("requestheader-uid-headers", FRONT_PROXY),
    no("requestheader-group-headers", FRONT_PROXY),
    no("requestheader-extra-headers-prefix", FRONT_PROXY),
    no("service-account-jwks-uri", ISSUING),
    no("service-account-max-token-expiration", ISSUING),
    no("service-account-extend-token-expiration", ISSUING),
    no("service-account-signing-endpoint", ISSUING),
    no("service-account-signing-key-file", ISSUING),
    no("authorization-policy-file", ABAC),
    no("audit-policy-file", "every request is recorded at level Metadata; policies are not read yet"),
    unless("audit-log-format", &["json"], "the legacy format is not written"),
    unless("audit-log-version", &["audit.k8s.io/v1"], "only this version is written"),
    unless("audit-log-maxage", &["0"], ROTATION),
    unless("audit-log-maxbackup", &["0"], ROTATION),
    unless("audit-log-maxsize", &["0"], ROTATION),
    unless("audit-log-compress", &["false"], ROTATION),
    no("audit-log-batch-buffer-size", BATCH),
    no("audit-log-batch-max-size", BATCH),
    no("audit-log-batch-max-wait", BATCH),
    unless("audit-log-batch-throttle-enable", &["false"], BATCH),
    no("audit-log-batch-throttle-qps", BATCH),
    no("audit-log-batch-throttle-burst", BATCH),
    unless("audit-log-truncate-enabled", &["false"], TRUNCATE),
    no("audit-log-truncate-max-event-size", TRUNCATE),
    no("audit-log-truncate-max-batch-size", TRUNCATE),
    no("audit-webhook-config-file", AUDIT_WEBHOOK),
    no("audit-webhook-version", AUDIT_WEBHOOK),
    no("audit-webhook-mode", AUDIT_WEBHOOK),
    no("audit-webhook-initial-backoff", AUDIT_WEBHOOK),
    no("audit-webhook-batch-buffer-size", AUDIT_WEBHOOK),
    no("audit-webhook-batch-max-size", AUDIT_WEBHOOK),
    no("audit-webhook-batch-max-wait", AUDIT_WEBHOOK),
    no("audit-webhook-batch-throttle-enable", AUDIT_WEBHOOK),
    no("audit-webhook-batch-throttle-qps", AUDIT_WEBHOOK),
    no("audit-webhook-batch-throttle-burst", AUDIT_WEBHOOK),
    no("audit-webhook-truncate-enabled", AUDIT_WEBHOOK),
    no("audit-webhook-truncate-max-event-size", AUDIT_WEBHOOK),
    no("audit-webhook-truncate-max-batch-size", AUDIT_WEBHOOK),
    no("admission-control", ADMISSION),
    no("enable-admission-plugins", ADMISSION),
    no("disable-admission-plugins", ADMISSION),
    no("admission-control-config-file", "EventRateLimit is not enforced at the gate yet"),
    no("default-not-ready-toleration-seconds", ADMISSION),
    no("default-unreachable-toleration-seconds", ADMISSION),
    unless(
        "enable-priority-and-fairness",
        &["false"],
        "the gate limits requests by --max-requests-inflight and --max-mutating-requests-inflight, so far",
    ),
];

/// Takes the flags that ask for what the gate does anyway out of the process's arguments, and
/// refuses those of `serve` that it cannot honour.
pub(crate) fn take_out_flags(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut arguments = arguments.into_iter().peekable();
    let mut kept: Vec<OsString> = arguments.by_ref().take(2).collect();
    if kept.get(1).is_none_or(|command| command != "serve") {
        kept.extend(arguments);
        return Ok(kept);
    }
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let (flag, value) = match text.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (&*text, None),
        };
        let Some(refused) = flag.strip_prefix("--").and_then(refused) else {
            kept.push(argument);
            continue;
        };
        // Go takes the value of a flag that is no boolean from the next argument too.
        let value = value.or_else(|| {
            let next = arguments.next_if(|next| !next.to_string_lossy().starts_with('-'))?;
            Some(next.to_string_lossy().into_owned())
        });
        if value.is_none_or(|value| !refused.harmless.contains(&value.as_str())) {
            return Err(refused.to_string());
        }
    }
    Ok(kept)
}

/// The table's entry of a flag. Go takes `_` for `-`.
fn refused(flag: &str) -> Option<&'static Refused> {
    let flag = flag.replace('_', "-");
    REFUSED.iter().find(|refused| refused.flag == flag)
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "--{} is a flag of kube-apiserver that the gate does not take: {}",
            self.flag, self.reason
        )?;
        match self.harmless {
            [value, ..] => write!(f, " (only `--{}={value}` is taken)", self.flag),
            [] => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_of_kube_apiserver_is_taken_or_refused() {
        let command = crate::Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        let flags = include_str!("../../../../../../testing/conformance/vectors/flags.txt");
        let flags: Vec<_> =
            flags.lines().filter_map(|line| line.strip_prefix("--")?.split(' ').next()).collect();
        assert!(flags.len() > 100);
        for flag in flags {
            let taken = serve.get_arguments().any(|argument| argument.get_long() == Some(flag));
            assert!(taken != refused(flag).is_some(), "--{flag}: taken: {taken}");
        }
    }

    #[test]
    fn refused_or_taken_out() {
        let check = |arguments: &[&str], expected: Result<&[&str], &str>| {
            let all = ["portcullis"].iter().chain(arguments).map(OsString::from);
            match (take_out_flags(all), expected) {
                (Ok(kept), Ok(expected)) => assert_eq!(kept.get(1..).unwrap(), expected),
                (Err(error), Err(flag)) => assert!(error.starts_with(flag), "{error}"),
                (found, expected) => panic!("{arguments:?}: {found:?}, expected {expected:?}"),
            }
        };
        check(&["serve", "--secure-port=1", "-h"], Ok(&["serve", "--secure-port=1", "-h"]));
        check(&["serve", "--audit-log-format=json", "-h"], Ok(&["serve", "-h"]));
        check(&["serve", "--audit_log_format", "json", "-h"], Ok(&["serve", "-h"]));
        check(&["serve", "--audit-log-format", "legacy"], Err("--audit-log-format is a flag"));
        check(&["serve", "--audit-log-format"], Err("--audit-log-format is a flag"));
        check(&["serve", "--oidc-issuer-url=https://a"], Err("--oidc-issuer-url is a flag"));
        check(&["status", "--oidc-issuer-url=https://a"], Ok(&["status", "--oidc-issuer-url=https://a"]));
    }
}
