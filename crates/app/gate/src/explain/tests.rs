use authz::{
    DenyList,
    rbac::{RbacObject, World},
    webhook::{FailurePolicy, ReviewVersion},
};
use serde_json::json;
use types::{AccessFailure, AccessReview, AccessStatus, Answer, Attributes, FailureClass, ObjectRef, group};

use super::*;

/// Webhooks say this, or are not asked.
struct Told(Option<Result<AccessStatus, AccessFailure>>);

impl Facts for Told {
    fn object(&mut self, object: &ObjectRef) -> Answer {
        panic!("asked about {object:?}")
    }

    fn access(&mut self, _: &AccessReview) -> Option<Result<AccessStatus, AccessFailure>> {
        self.0.clone()
    }
}

fn webhook(policy: FailurePolicy) -> Mode {
    Mode::Webhook(authz::webhook::Webhook::new("policy", ReviewVersion::V1, policy, Vec::new()))
}

fn found(modes: Vec<Mode>, said: Option<Result<AccessStatus, AccessFailure>>) -> Finding {
    let user = User::new("alice", ["dev"]);
    let authz = Authz::new(DenyList::default(), modes);
    authorization(&authz, &Attributes::of_path(&user, "get", "/"), Timestamp::UNIX_EPOCH, &mut Told(said))
}

#[test]
fn a_webhook_that_would_have_been_asked_is_named() {
    let check = |modes: Vec<Mode>, answer: Says, not_asked: &[&str]| {
        let found = found(modes, None);
        assert_eq!(found.answer, answer);
        assert_eq!(found.webhooks_not_asked, not_asked);
        assert_eq!(found.webhooks_asked, []);
    };
    let (goes_on, denies) = (|| webhook(FailurePolicy::NoOpinion), || webhook(FailurePolicy::Deny));
    check(vec![goes_on(), Mode::AlwaysAllow], Says::Allow, &["policy"]);
    check(vec![denies(), Mode::AlwaysAllow], Says::Deny, &["policy"]);
    check(vec![goes_on()], Says::Deny, &["policy"]);
    check(vec![Mode::AlwaysAllow, goes_on()], Says::Allow, &[]);
}

#[test]
fn a_webhook_that_was_asked_is_told_of() {
    let check =
        |policy, said: Result<AccessStatus, AccessFailure>, answer: Says, expected: serde_json::Value| {
            let found = found(vec![webhook(policy), Mode::AlwaysAllow], Some(said));
            assert_eq!((found.answer, found.webhooks_not_asked.len()), (answer, 0));
            let mut told = serde_json::to_value(&found.webhooks_asked).unwrap();
            let took = told[0].as_object_mut().unwrap().remove("took").unwrap();
            assert!(types::duration::parse(took.as_str().unwrap()).is_some(), "{took}");
            assert_eq!(told[0], expected);
        };
    let status =
        |allowed, denied| AccessStatus { allowed, denied, reason: "so".into(), evaluation_error: "".into() };
    let failure = AccessFailure { class: FailureClass::Timeout, message: "too late".into() };
    let (deny, on) = (FailurePolicy::Deny, FailurePolicy::NoOpinion);
    let answered = |answer: &str| json!({"webhook": "policy", "answer": answer, "reason": "so"});
    let failed = |policy: &str| json!({"webhook": "policy", "failure": "too late", "failurePolicy": policy});
    check(deny, Ok(status(true, false)), Says::Allow, answered("allow"));
    check(on, Ok(status(false, true)), Says::Deny, answered("deny"));
    check(deny, Ok(status(false, false)), Says::Allow, answered("noOpinion"));
    check(deny, Err(failure.clone()), Says::Deny, failed("Deny"));
    check(on, Err(failure), Says::Allow, failed("NoOpinion"));
}

/// `ops` may impersonate alice outright, `limited` may list pods as alice, and alice may list pods.
fn judge(options: &Options) -> Judge {
    let binding = |name: &str, role: &str, user: &str| {
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": role},
               "subjects": [{"kind": "User", "name": user}]})
    };
    let rule = |group: &str, resource: &str, verb: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
    let role = |name: &str, rules: Vec<serde_json::Value>| json!({"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
    let objects: Vec<RbacObject> = serde_json::from_value(json!([
        role("lists", vec![rule("", "pods", "list")]),
        role("impersonates", vec![rule("", "users", "impersonate")]),
        role(
            "limited",
            vec![
                rule("authentication.k8s.io", "users", "impersonate:user-info"),
                rule("", "pods", "impersonate-on:user-info:list"),
            ]
        ),
        binding("a", "lists", "alice"),
        binding("o", "impersonates", "ops"),
        binding("l", "limited", "limited"),
    ]))
    .unwrap();
    let mut world = World::default();
    objects.into_iter().for_each(|object| world.apply(object));
    let chain = options.authorizers(&Node::default(), &Rbac::new(world)).unwrap();
    options.judge(chain.authz).unwrap()
}

#[test]
fn an_impersonated_request_is_two_questions() {
    let layer = |explanation: &Explanation, name: &str| {
        explanation.layers.iter().find(|finding| finding.layer == name).cloned()
    };
    let ask = |options: &Options, requester: &str, wanted: &User, verb: &str| {
        let shown = Shown::Named(User::new(requester, [group::AUTHENTICATED]));
        let resource = reach::Resource::parse("pods").unwrap();
        let about = reach::About::Resource {
            resource,
            subresource: String::new(),
            name: String::new(),
            namespace: "ns".to_owned(),
        };
        let question = reach::Question { verb: verb.to_owned(), about };
        let asked = Asked { address: None, shown: &shown, wanted: Some(wanted), question: &question };
        judge(options).explain(&asked, Timestamp::UNIX_EPOCH, &mut Told(None))
    };
    let alice = User::new("alice", [""; 0]);
    let constrained = Options::default();

    let found = ask(&constrained, "ops", &alice, "list");
    assert!(found.allowed);
    let (user, requester) = (found.user.as_ref().unwrap(), found.requester.as_ref().unwrap());
    assert_eq!((user.name.as_str(), requester.name.as_str()), ("alice", "ops"));
    assert_eq!(user.groups, [group::AUTHENTICATED]);
    let impersonation = layer(&found, "impersonation").unwrap();
    assert_eq!(impersonation.detail, "as \"alice\" by the verb impersonate");
    let checks: Vec<_> =
        impersonation.checks.iter().map(|check| (check.question.as_str(), check.answer)).collect();
    assert_eq!(
        checks,
        [
            ("impersonate-on:user-info:list pods in namespace ns", Says::Deny),
            ("impersonate users \"alice\"", Says::Allow),
        ]
    );
    let grant = &impersonation.checks[1].authorizers[0].evidence[0];
    assert!(matches!(grant, types::Evidence::Grant(grant) if grant.binding.name == "o"), "{grant:?}");

    // The right to act so goes with what is done, and alice's own rights are asked about, too.
    let found = ask(&constrained, "limited", &alice, "list");
    let impersonation = layer(&found, "impersonation").unwrap();
    assert_eq!(
        (found.allowed, impersonation.detail.as_str()),
        (true, "as \"alice\" by the verb impersonate:user-info")
    );
    let found = ask(&constrained, "ops", &alice, "delete");
    assert_eq!(layer(&found, "authorization").unwrap().answer, Says::Deny);
    let found = ask(&constrained, "limited", &alice, "delete");
    assert!(!found.allowed && layer(&found, "authorization").is_none());
    assert_eq!((found.user.unwrap().name.as_str(), found.requester.is_none()), ("limited", true));
    let change = &found.layers.last().unwrap().change;
    assert!(
        change[0].starts_with("to let it pass: a ClusterRoleBinding to a role with the rule"),
        "{change:?}"
    );
    assert!(change[0].contains("resourceNames: [\"alice\"], verbs: [\"impersonate\"]"), "{change:?}");
    let last = change.last().unwrap();
    assert!(
        last.contains("a RoleBinding in ns") && last.contains("impersonate-on:user-info:delete"),
        "{change:?}"
    );

    let mut legacy = Options::default();
    legacy.feature_gates.constrained_impersonation = false;
    let found = ask(&legacy, "limited", &alice, "list");
    assert_eq!(found.layers.last().unwrap().checks.len(), 1);
    assert!(!found.allowed && ask(&legacy, "ops", &alice, "list").allowed);
    // Nobody on the deny list acts as anybody, and nobody is acted as who is on it.
    let shut_out = Options { deny_user: vec!["alice".to_owned()], ..Options::default() };
    let found = ask(&shut_out, "ops", &alice, "list");
    assert_eq!(layer(&found, "authorization").unwrap().reason.as_deref(), Some("denied"));
}
