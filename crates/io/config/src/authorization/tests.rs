use super::*;

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n";

fn errors(text: &str) -> String {
    parse("authz.yaml", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn every_error_names_its_line() {
    let text = format!(
        "{HEAD}authorizers:\n- type: Webhook\n  name: w\n  webhook:\n    timeout: 40s\n    failurePolicy: Fail\n    \
         subjectAccessReviewVersion: v1\n    matchConditionSubjectAccessReviewVersion: v1\n    connectionInfo:\n      \
         type: KubeConfigFile\n      kubeConfigFile: relative\n    matchConditions:\n    - expression: request.user\n    \
         - expression: |\n        request.user ==\n          1\n"
    );
    let expected = [
        r#"authz.yaml:7: authorizers[0].timeout: Invalid value: "40s": must be > 0s and <= 30s"#,
        r#"authz.yaml:8: authorizers[0].failurePolicy: Unsupported value: "Fail": supported values: "NoOpinion", "Deny""#,
        r#"authz.yaml:13: authorizers[0].connectionInfo.kubeConfigFile: Invalid value: "relative": must be an absolute path"#,
        r#"authz.yaml:15: authorizers[0].matchConditions[0].expression: Invalid value: "request.user": must evaluate to bool"#,
    ];
    let found = errors(&text);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.get(..4), Some(&expected[..]), "{found}");
    // The line and column within the expression.
    assert!(
        lines[4].contains("matchConditions[1].expression: Invalid value: ") && lines[4].contains(": 1:14: "),
        "{found}"
    );
}

#[test]
fn what_is_no_configuration_is_said_so() {
    let check = |text: &str, expected: &str| {
        let found = errors(text);
        assert!(found.contains(expected), "{text}: {found}");
    };
    check("", "authz.yaml: authorizers: Required value: at least one");
    check("# nothing\n", "kind: is missing");
    check("kind: AuthorizationConfiguration\n", "apiVersion: is missing");
    check(&HEAD.replace("v1\n", "v2\n"), "authz.yaml:1: apiVersion: expected `apiserver.config.k8s.io/v1`");
    check(&HEAD.replace("Authorization", "Authentication"), "authz.yaml:2: kind: expected `Auth");
    check(
        &format!("{HEAD}authorizers:\n- {{type: RBAC, name: rbac, nam: x}}\n"),
        "authz.yaml:4: authorizers[0].nam: unknown field",
    );
    check(
        &format!("{HEAD}authorizers:\n- {{type: Webhook, name: w, webhook: {{timeout: 5}}}}\n"),
        "authz.yaml:4: authorizers[0].webhook.timeout: ",
    );
    check("- a\n", "kind: is missing");
    let named = |name: &str| {
        format!("{HEAD}authorizers:\n- {{type: AlwaysAllow, name: {name}}}\n- {{type: Bad, name: b}}\n")
    };
    check(&named("all"), "authz.yaml:5: authorizers[1].type: Unsupported value");
    check(
        &named("all").replace("Bad, name: b", "RBAC, name: rbac"),
        "authz.yaml:4: expected name alwaysallow for authorizer AlwaysAllow instead of all",
    );
}

#[test]
fn equal_configurations_are_equal() {
    let text = |ttl: &str, expression: &str| {
        format!(
            "{HEAD}authorizers:\n- type: Webhook\n  name: w\n  webhook:\n    timeout: 3s\n    failurePolicy: Deny\n    \
             subjectAccessReviewVersion: v1\n    matchConditionSubjectAccessReviewVersion: v1\n    {ttl}\n    \
             connectionInfo: {{type: InClusterConfig}}\n    matchConditions: [{{expression: '{expression}'}}]\n"
        )
    };
    let read = |text: String| parse("authz.yaml", text.as_bytes()).unwrap();
    let one = || read(text("", "true"));
    assert_eq!(one(), read(text("authorizedTTL: 5m  # the default", "true")));
    assert_ne!(one(), read(text("authorizedTTL: 6m", "true")));
    assert_ne!(one(), read(text("", "false")));
}
