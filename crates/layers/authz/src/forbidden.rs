//! The 403, in kube-apiserver's words.

use types::{Attributes, Status, StatusDetails, StatusReason, quote};

/// The refusal of a request, with the `reason` of the [`Opinion`](crate::Opinion) if there is one.
// UPSTREAM: the sentence about the user is HTML-escaped; the resource and name in front of it and
// the reason behind it are not (kube-apiserver 1.36)
pub fn forbidden(at: &Attributes<'_>, reason: &str) -> Status {
    let mut sentence = escape_html(&sentence(at));
    if !reason.is_empty() {
        sentence.push_str(": ");
        sentence.push_str(reason);
    }
    let message = match (qualified_resource(at).as_str(), at.name) {
        ("", _) => format!("forbidden: {sentence}"),
        (resource, "") => format!("{resource} is forbidden: {sentence}"),
        (resource, name) => format!("{resource} {} is forbidden: {sentence}", quote(name)),
    };
    Status::failure(403, StatusReason::Forbidden, message).with_details(StatusDetails {
        name: at.name.to_owned(),
        group: at.api_group.to_owned(),
        kind: at.resource.to_owned(),
        ..StatusDetails::default()
    })
}

/// `pods`, `deployments.apps`; empty for a path.
fn qualified_resource(at: &Attributes<'_>) -> String {
    if at.api_group.is_empty() { at.resource.to_owned() } else { format!("{}.{}", at.resource, at.api_group) }
}

fn sentence(at: &Attributes<'_>) -> String {
    let (user, verb) = (quote(&at.user.name), at.verb);
    if !at.resource_request {
        return format!("User {user} cannot {verb} path {}", quote(at.path));
    }
    let resource = quote(&at.combined_resource());
    let group = quote(at.api_group);
    let place = if at.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {}", quote(at.namespace))
    };
    format!("User {user} cannot {verb} resource {resource} in API group {group} {place}")
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use types::{User, selector::Selectors};

    use super::*;

    fn check(change: impl FnOnce(&mut Attributes<'_>), reason: &str, expected: &str) {
        let (user, selectors) = (User::new("a<b>&\"c\"", [""; 0]), Selectors::default());
        let mut at = Attributes {
            user: &user,
            verb: "get",
            resource_request: true,
            namespace: "",
            api_group: "",
            api_version: "v1",
            resource: "pods",
            subresource: "",
            name: "",
            path: "/nope",
            selectors: &selectors,
        };
        change(&mut at);
        assert_eq!(forbidden(&at, reason).message, expected);
    }

    #[test]
    fn words() {
        let user = r#"User "a&lt;b&gt;&amp;\"c\"" cannot"#;
        check(
            |_| (),
            "",
            &format!(r#"pods is forbidden: {user} get resource "pods" in API group "" at the cluster scope"#),
        );
        check(
            |at| (at.verb, at.name, at.namespace) = ("", "x<y>\n", "n&s"),
            "",
            &format!(
                r#"pods "x<y>\n" is forbidden: {user}  resource "pods" in API group "" in the namespace "n&amp;s""#
            ),
        );
        check(
            |at| (at.api_group, at.resource, at.subresource) = ("x<y>.io", "things", "scale"),
            "why <not>",
            &format!(
                r#"things.x<y>.io is forbidden: {user} get resource "things/scale" in API group "x&lt;y&gt;.io" at the cluster scope: why <not>"#
            ),
        );
        check(
            |at| (at.resource_request, at.resource) = (false, ""),
            "",
            &format!(r#"forbidden: {user} get path "/nope""#),
        );
    }
}
