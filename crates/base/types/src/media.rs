//! In which form a client wants an answer: kube-apiserver's content negotiation for objects that it
//! can write as JSON, YAML or protobuf.

/// The forms of a [`crate::Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json` on one line.
    Json,
    /// `application/json` indented for a person.
    IndentedJson,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

impl MediaType {
    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::IndentedJson => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    /// The form in which kube-apiserver writes an error to a client that sent this `Accept`,
    /// `User-Agent` and query. What cannot be had never makes another error of an error.
    ///
    /// `query` is the raw query without the question mark.
    // UPSTREAM: where nothing acceptable can be had an error is indented JSON (kube-apiserver 1.36)
    pub fn negotiate(accept: Option<&str>, user_agent: Option<&str>, query: &str) -> Self {
        Self::acceptable(accept, user_agent, query).unwrap_or(Self::IndentedJson)
    }

    /// The same, or nothing where the client accepts none of the forms there are.
    pub fn acceptable(accept: Option<&str>, user_agent: Option<&str>, query: &str) -> Option<Self> {
        let accept = accept.unwrap_or_default();
        let wanted =
            if accept.is_empty() { Wanted { media: Self::Json, pretty: false } } else { preferred(accept)? };
        let Wanted { media, pretty } = wanted;
        Some(match media {
            Self::Json if pretty || is_for_a_person(user_agent, query) => Self::IndentedJson,
            media => media,
        })
    }
}

struct Wanted {
    media: MediaType,
    pretty: bool,
}

/// The first clause of `Accept`, by weight, that names a form we have.
fn preferred(accept: &str) -> Option<Wanted> {
    let mut clauses: Vec<(Clause<'_>, f64)> = accept.split(',').filter_map(Clause::parse).collect();
    // By weight, then the more exact; equal ones stay in the order they were written.
    clauses.sort_by(|(a, p), (b, q)| q.total_cmp(p).then(a.wildcards().cmp(&b.wildcards())));
    clauses.iter().find_map(|(clause, _)| clause.choose())
}

struct Clause<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// `as=Table`: an error is never shown so.
    transformed: bool,
    pretty: bool,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Option<(Self, f64)> {
        let mut pieces = text.split(';').map(str::trim);
        let (kind, subtype) = match pieces.next()? {
            "*" => ("*", "*"),
            range => range.split_once('/')?,
        };
        let mut clause =
            Self { kind: kind.trim(), subtype: subtype.trim(), transformed: false, pretty: false };
        let mut weight = 1.0;
        for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            match name.trim() {
                "q" => weight = value.trim().parse().unwrap_or(1.0),
                "as" => clause.transformed = !value.trim().is_empty(),
                "pretty" => clause.pretty = value.trim() == "1",
                _ => {}
            }
        }
        Some((clause, weight))
    }

    fn wildcards(&self) -> u8 {
        u8::from(self.kind == "*") * 2 + u8::from(self.subtype == "*")
    }

    fn choose(&self) -> Option<Wanted> {
        let media = match (self.kind, self.subtype) {
            _ if self.transformed => return None,
            // UPSTREAM: `application/*` matches nothing (kube-apiserver 1.36)
            ("*", "*") | ("application", "json") => MediaType::Json,
            ("application", "yaml") => MediaType::Yaml,
            ("application", "vnd.kubernetes.protobuf") => MediaType::Protobuf,
            _ => return None,
        };
        Some(Wanted { media, pretty: self.pretty })
    }
}

/// UPSTREAM: `?pretty=` decides where it has a value, else the first word of the user agent
/// (kube-apiserver 1.36).
fn is_for_a_person(user_agent: Option<&str>, query: &str) -> bool {
    let asked = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == "pretty")
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty());
    if let Some(value) = asked {
        return matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True");
    }
    user_agent.is_some_and(|agent| ["curl", "Wget", "Mozilla/5.0"].iter().any(|tool| agent.starts_with(tool)))
}

#[cfg(test)]
mod tests {
    use super::MediaType::{self, IndentedJson, Json, Protobuf, Yaml};

    #[test]
    fn negotiates_as_kube_apiserver() {
        let check = |accept: &str, agent: &str, query: &str, expected: MediaType| {
            let accept = Some(accept).filter(|text| !text.is_empty());
            assert_eq!(
                MediaType::negotiate(accept, Some(agent), query),
                expected,
                "{accept:?} {agent} {query}"
            );
        };
        check("", "", "", Json);
        check("", "curl/8.5.0", "", IndentedJson);
        check("*/*", "curl/8.5.0", "", IndentedJson);
        check("*/*", "curl/8.5.0", "a=b&pretty=false", Json);
        check("", "kubectl/v1.37.1", "pretty=true", IndentedJson);
        check("", "kubectl/v1.37.1", "pretty=", Json);
        check("application/json;pretty=1", "x", "", IndentedJson);
        check("application/yaml", "curl/8", "", Yaml);
        check("text/html", "x", "", IndentedJson);
        check("application/*", "x", "", IndentedJson);
        assert_eq!(MediaType::acceptable(Some("text/html"), Some("x"), ""), None);
        check("application/vnd.kubernetes.protobuf,application/json", "x", "", Protobuf);
        check("application/vnd.kubernetes.protobuf;q=0.5,application/json", "x", "", Json);
        check("*/*,application/yaml", "x", "", Yaml);
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "x", "", Json);
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/yaml", "x", "", Yaml);
    }
}
