//! What a decision rests on, for those who ask why.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One fact that an authorizer went by, or went past. The set is closed; [`Verdict`](crate::Verdict)
/// says what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Evidence {
    /// An entry of the gate's deny list shuts the user out.
    DenyListEntry {
        /// The flag that put it there: `--deny-user` or `--deny-group`.
        flag: Cow<'static, str>,
        /// Whom it names.
        name: String,
    },
    /// The user is in `system:masters`, who are asked nothing.
    Superuser,
    /// A binding lends the user a role with a rule that covers the request.
    Grant(Grant),
    /// A binding of the user's leads to no role.
    BrokenBinding {
        /// The binding.
        binding: ObjectName,
        /// What is wrong with it, in kube-apiserver's words.
        error: String,
    },
    /// No rule of the user's covers the request. This one would, and nothing else.
    Lack {
        /// The smallest rule that covers it.
        rule: String,
        /// Roles that have such a rule already, narrowest first: a binding to one of them would do.
        roles: Vec<ObjectName>,
    },
    /// The Node authorizer allows, on these grounds.
    Node {
        /// `a rule for all nodes`, `the node's own`, or the path in words.
        grounds: String,
        /// The way in its graph from the object that is asked for to the node, if there is one.
        path: Vec<ObjectName>,
    },
    /// A match condition of a webhook was run.
    Condition {
        /// The webhook's name.
        webhook: String,
        /// The expression.
        expression: String,
        /// `true`, `false` or an error.
        result: String,
    },
}

/// A rule, and the way it comes to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Which binding.
    pub binding: ObjectName,
    /// Which role.
    pub role: ObjectName,
    /// Which of the binding's subjects is the user: `User`, `Group` or `ServiceAccount`.
    pub subject: ObjectName,
    /// The place of the rule among the role's, from 0.
    pub rule: usize,
    /// The rule itself, as `rules` of the role has it.
    pub rule_text: String,
}

/// An object by what people call it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// `RoleBinding`
    pub kind: String,
    /// Empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectName {
    /// `kind`, `namespace` (empty for none) and `name`.
    pub fn new(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }
}

/// `RoleBinding prod/read-pods`
impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}
