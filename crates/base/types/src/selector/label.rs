//! `app=web,tier in (front,back),!legacy`

mod parser;

use super::SelectorError;

/// All of these must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<LabelRequirement>);

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRequirement {
    /// The label's key.
    pub key: String,
    /// The condition.
    pub operator: LabelOperator,
    /// Sorted and without duplicates: none for `Exists` and `DoesNotExist`, at least one for `In`
    /// and `NotIn`, one (an integer for `GreaterThan` and `LessThan`) for the others.
    pub values: Vec<String>,
}

/// Kubernetes' `selection.Operator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// `key = value`
    Equals,
    /// `key == value`: means `=`, but stays apart when shown.
    DoubleEquals,
    /// `key != value`: an object without the label matches.
    NotEquals,
    /// `key in (a,b)`
    In,
    /// `key notin (a,b)`: an object without the label matches.
    NotIn,
    /// `key`
    Exists,
    /// `!key`
    DoesNotExist,
    /// `key > 1`
    GreaterThan,
    /// `key < 1`
    LessThan,
}

impl LabelOperator {
    /// Kubernetes' name of the operator.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::DoubleEquals => "==",
            Self::NotEquals => "!=",
            Self::In => "in",
            Self::NotIn => "notin",
            Self::Exists => "exists",
            Self::DoesNotExist => "!",
            Self::GreaterThan => "gt",
            Self::LessThan => "lt",
        }
    }
}

impl LabelSelector {
    /// Selects every object.
    pub const EVERYTHING: Self = Self(Vec::new());

    /// Parses a decoded `labelSelector`; requirements come out sorted by key.
    pub fn parse(selector: &str) -> Result<Self, SelectorError> {
        let mut requirements = parser::parse(selector)?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self(requirements))
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[LabelRequirement] {
        &self.0
    }

    /// Whether every object is selected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object is selected, given the value of each of its labels.
    pub fn matches<V: AsRef<str>>(&self, label: impl Fn(&str) -> Option<V>) -> bool {
        self.0.iter().all(|requirement| requirement.matches(label(&requirement.key).as_ref().map(V::as_ref)))
    }
}

impl LabelRequirement {
    /// Whether the condition holds for this value of the label; `None` is an object without it.
    pub fn matches(&self, value: Option<&str>) -> bool {
        use LabelOperator as Is;
        let listed = |value: &str| self.values.iter().any(|v| v == value);
        let integer = |text: &str| text.parse::<i64>().ok();
        let bound = || self.values.first().and_then(|v| integer(v));
        match self.operator {
            Is::Equals | Is::DoubleEquals | Is::In => value.is_some_and(listed),
            Is::NotEquals | Is::NotIn => !value.is_some_and(listed),
            Is::Exists => value.is_some(),
            Is::DoesNotExist => value.is_none(),
            Is::GreaterThan => value.and_then(integer).zip(bound()).is_some_and(|(v, bound)| v > bound),
            Is::LessThan => value.and_then(integer).zip(bound()).is_some_and(|(v, bound)| v < bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(selector: &str) -> Result<String, String> {
        let parsed = LabelSelector::parse(selector).map_err(|e| e.to_string())?;
        let show =
            |r: &LabelRequirement| format!("{} {} [{}]", r.key, r.operator.as_str(), r.values.join("|"));
        Ok(parsed.requirements().iter().map(show).collect::<Vec<_>>().join(" & "))
    }

    #[test]
    fn parses_as_kubernetes_does() {
        fn check(selector: &str, expected: &str) {
            assert_eq!(shown(selector).unwrap(), expected, "{selector}");
        }
        check("", "");
        check("  ", "");
        check("b=1,a=2", "a = [2] & b = [1]");
        check(" a == b , !c,d", "a == [b] & c ! [] & d exists []");
        check("a in (c,b,b)", "a in [b|c]");
        check("a notin ()", "a notin []");
        check("a in (,b,,)", "a in [|b]");
        check("in in (in,notin)", "in in [in|notin]");
        check("a>1,b<2", "a gt [1] & b lt [2]");
        check("a=,b", "a = [] & b exists []");
        check("x.y/z!=v", "x.y/z != [v]");
        check("a=b\0\0,c", "a = [b]");
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        fn check(selector: &str, expected: &str) {
            assert_eq!(shown(selector).unwrap_err(), expected, "{selector}");
        }
        check(",", "found ',', expected: !, identifier, or 'end of string'");
        check("((", "found '(', expected: !, identifier, or 'end of string'");
        check("a,", "found '', expected: identifier after ','");
        check("!!", "unable to parse requirement: found '!', expected: identifier");
        check("A!B", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt");
        check("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
        check("a=b c", "found 'c', expected: ',' or 'end of string'");
        check("!a in (b)", "found 'in', expected: ',' or 'end of string'");
        check("a in (b", "unable to parse requirement: found '', expected: ',' or ')'");
        check("a in b", "unable to parse requirement: found 'b', expected: '('");
        for selector in [
            "a=(",
            "a in (=)",
            "a in (b,=)",
            "a>x",
            "a>-1",
            "a>9223372036854775808",
            "-a=b",
            "a/b/c",
            "/a",
            "a/",
            "A.b/c",
            "a=-b",
            "a in (b,-)",
        ] {
            assert!(LabelSelector::parse(selector).is_err(), "{selector}");
        }
        assert!(LabelSelector::parse(&"a".repeat(63)).is_ok());
        assert!(LabelSelector::parse(&"a".repeat(64)).is_err());
    }

    #[test]
    fn matches_as_kubernetes_does() {
        fn check(selector: &str, expected: bool) {
            let labels = [("a", "b"), ("n", "5"), ("e", "")];
            let label = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
            assert_eq!(LabelSelector::parse(selector).unwrap().matches(label), expected, "{selector}");
        }
        for selector in [
            "",
            "a",
            "a=b",
            "a==b,n>4,n<6",
            "a in (x,b)",
            "z!=b",
            "z notin (q)",
            "!z",
            "e=",
            "e in ()",
            "n!=6",
        ] {
            check(selector, true);
        }
        for selector in
            ["z", "a=c", "a!=b", "a notin (b)", "!a", "n>5", "n<5", "a>1", "z>1", "z=", "a,z", "z in ()"]
        {
            check(selector, false);
        }
    }
}
