//! `metadata.name=x,status.phase!=Running`

use super::SelectorError;

/// All of these must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldRequirement>);

/// One comparison of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The path as the client wrote it; which paths a kind knows is not judged here.
    pub field: String,
    /// How it is compared.
    pub operator: FieldOperator,
    /// With what, escapes resolved.
    pub value: String,
}

/// How a field is compared; `==` is read as `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldOperator {
    /// `=`
    Equals,
    /// `!=`
    NotEquals,
}

impl FieldOperator {
    /// As it stands in a SubjectAccessReview.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::NotEquals => "!=",
        }
    }
}

impl FieldSelector {
    /// Selects every object.
    pub const EVERYTHING: Self = Self(Vec::new());

    /// Parses a decoded `fieldSelector`. Empty terms are skipped; requirements come out sorted by
    /// the text of their terms.
    // UPSTREAM: `\` escapes `\`, `,` and `=` in values; the first operator of a term counts (kube-apiserver 1.36)
    pub fn parse(selector: &str) -> Result<Self, SelectorError> {
        let mut terms: Vec<&str> = split_terms(selector).filter(|term| !term.is_empty()).collect();
        terms.sort_unstable();
        let parse_term = |term: &&str| {
            let (field, operator, value) = split_term(term).ok_or_else(|| SelectorError::Term {
                selector: selector.to_owned(),
                term: (*term).to_owned(),
            })?;
            Ok(FieldRequirement { field: field.to_owned(), operator, value: unescape(value)? })
        };
        terms.iter().map(parse_term).collect::<Result<_, _>>().map(Self)
    }

    /// The requirements, sorted by their text.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.0
    }

    /// Whether every object is selected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object is selected, given the value of each field; a field that it lacks is `""`.
    pub fn matches<V: AsRef<str>>(&self, value_of: impl Fn(&str) -> V) -> bool {
        self.0.iter().all(|requirement| {
            let equal = value_of(&requirement.field).as_ref() == requirement.value;
            equal == (requirement.operator == FieldOperator::Equals)
        })
    }

    /// The value that `field` must have, if the selector names one. Of several, the first counts.
    pub fn requires_exact_match(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|requirement| requirement.operator == FieldOperator::Equals && requirement.field == field)
            .map(|requirement| requirement.value.as_str())
    }
}

/// Splits at commas that no backslash precedes.
fn split_terms(selector: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    selector.split(move |c| {
        let separates = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    })
}

fn split_term(term: &str) -> Option<(&str, FieldOperator, &str)> {
    let at = term
        .char_indices()
        .find(|&(at, c)| c == '=' || c == '!' && term.get(at..).is_some_and(|rest| rest.starts_with("!=")));
    let (field, rest) = term.split_at_checked(at?.0)?;
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, FieldOperator::NotEquals, value));
    }
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
    Some((field, FieldOperator::Equals, value))
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                Some(other) => return Err(SelectorError::Escape(format!("\\{other}"))),
                None => return Err(SelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(SelectorError::Unescaped(c)),
            _ => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_as_kubernetes_does() {
        fn check(selector: &str, expected: &[(&str, &str, &str)]) {
            let parsed = FieldSelector::parse(selector).unwrap();
            let found: Vec<_> = parsed
                .requirements()
                .iter()
                .map(|r| (r.field.as_str(), r.operator.as_str(), r.value.as_str()))
                .collect();
            assert_eq!(found, expected, "{selector}");
        }
        check("", &[]);
        check(",,", &[]);
        check("b=1,a!=2", &[("a", "!=", "2"), ("b", "=", "1")]);
        check("a==b", &[("a", "=", "b")]);
        check("a!b=c", &[("a!b", "=", "c")]);
        check(r"a=x\,y\=z\\", &[("a", "=", r"x,y=z\")]);
        check("=x", &[("", "=", "x")]);
        check(r"a\,b=c", &[(r"a\,b", "=", "c")]);
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for selector in ["bad", "a=b,c", r"a=\x", r"a=\", "a=b=c", "a===b", "a!=b!=c", "!"] {
            assert!(FieldSelector::parse(selector).is_err(), "{selector}");
        }
        let error = FieldSelector::parse("a=b,c").unwrap_err();
        assert_eq!(error.to_string(), "invalid selector: 'a=b,c'; can't understand 'c'");
    }

    #[test]
    fn matches_a_missing_field_as_empty() {
        let matches = |selector: &str| {
            FieldSelector::parse(selector)
                .unwrap()
                .matches(|field| if field == "metadata.name" { "x" } else { "" })
        };
        assert!(matches("metadata.name=x,spec.nodeName="));
        assert!(matches("metadata.name!=y"));
        assert!(!matches("metadata.name=x,spec.nodeName!="));
    }

    #[test]
    fn the_first_exact_match_counts() {
        let selector = FieldSelector::parse("b=1,a!=0,a=y,a=x").unwrap();
        assert_eq!(selector.requires_exact_match("a"), Some("x"));
        assert_eq!(selector.requires_exact_match("c"), None);
    }
}
