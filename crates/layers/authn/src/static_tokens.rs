//! `--token-auth-file`: fixed tokens in a CSV file.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use types::User;

/// The tokens of a token file.
///
/// They are held as SHA-256 digests. A lookup then takes a time that depends on the digest of what
/// a client sent, which tells nothing about how much of a token was guessed right; and the tokens
/// themselves do not stay in memory.
pub struct StaticTokens(HashMap<[u8; 32], Arc<User>>);

/// Why a token file cannot be read. Never says what stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TokenFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: TokenFileProblem,
}

/// What can be wrong with a line of a token file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFileProblem {
    /// Fewer than three columns.
    #[error("must have at least 3 columns (token, user name, user uid), found {0}")]
    TooFewColumns(usize),
    /// A quote inside a field that does not begin with one.
    #[error("bare \" in non-quoted field")]
    BareQuote,
    /// A quoted field that does not end, or goes on after its closing quote.
    #[error("extraneous or missing \" in quoted-field")]
    UnbalancedQuote,
    /// The record has no token. A warning: the record is left out.
    #[error("the token is empty, the record is ignored")]
    EmptyToken,
    /// The token stood in an earlier record. A warning: this record replaces that one.
    #[error("the token is a duplicate, the earlier record is ignored")]
    DuplicateToken,
}

impl StaticTokens {
    /// Reads the text of a token file: a record a line, `token,name,uid` and, if there are any,
    /// the groups in one quoted fourth column, separated by commas. Beside the tokens it gives
    /// what is suspect in the file and should be told to whoever runs the gate.
    // UPSTREAM: CSV with a free number of columns; an empty token is skipped and a duplicate
    // replaces the earlier one, both with a warning; an empty fourth column is one group with an
    // empty name (kube-apiserver 1.36)
    pub fn parse(text: &str) -> Result<(Self, Vec<TokenFileError>), TokenFileError> {
        let mut tokens = HashMap::new();
        let mut warnings = Vec::new();
        let mut lines = Lines { rest: Some(text), line: 0 };
        while let Some((line, record)) = read_record(&mut lines)? {
            let [token, name, uid, more @ ..] = record.as_slice() else {
                return Err(TokenFileError { line, problem: TokenFileProblem::TooFewColumns(record.len()) });
            };
            if token.is_empty() {
                warnings.push(TokenFileError { line, problem: TokenFileProblem::EmptyToken });
                continue;
            }
            let groups = more.first().map(|groups| groups.split(',').map(Into::into).collect());
            let user = User {
                name: name.clone(),
                uid: uid.clone(),
                groups: groups.unwrap_or_default(),
                ..User::default()
            };
            if tokens.insert(key(token), Arc::new(user)).is_some() {
                warnings.push(TokenFileError { line, problem: TokenFileProblem::DuplicateToken });
            }
        }
        Ok((Self(tokens), warnings))
    }

    /// Whose `token` is.
    pub fn get(&self, token: &str) -> Option<&Arc<User>> {
        self.0.get(&key(token))
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticTokens({})", self.0.len())
    }
}

fn key(token: &str) -> [u8; 32] {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
        *to = *from;
    }
    key
}

/// Lines without their ends (`\n` or `\r\n`), counted from 1.
struct Lines<'t> {
    rest: Option<&'t str>,
    line: usize,
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let text = self.rest.take().filter(|text| !text.is_empty())?;
        let (line, rest) = text.split_once('\n').map_or((text, None), |(line, rest)| (line, Some(rest)));
        self.rest = rest;
        self.line += 1;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

/// The next record and the line it begins on. Empty lines are passed over; a quoted field may hold
/// commas, line ends and, doubled, quotes.
// UPSTREAM: Go's encoding/csv
fn read_record(lines: &mut Lines<'_>) -> Result<Option<(usize, Vec<String>)>, TokenFileError> {
    let Some(mut rest) = lines.find(|line| !line.is_empty()) else {
        return Ok(None);
    };
    let start = lines.line;
    let mut record = Vec::new();
    loop {
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let (field, next) = rest.split_once(',').map_or((rest, None), |(f, next)| (f, Some(next)));
            if field.contains('"') {
                return Err(TokenFileError { line: lines.line, problem: TokenFileProblem::BareQuote });
            }
            record.push(field.into());
            match next {
                Some(next) => rest = next,
                None => return Ok(Some((start, record))),
            }
            continue;
        };
        let unbalanced = |line| TokenFileError { line, problem: TokenFileProblem::UnbalancedQuote };
        let mut field = String::new();
        loop {
            let Some((inside, after)) = quoted.split_once('"') else {
                field.push_str(quoted);
                field.push('\n');
                quoted = lines.next().ok_or_else(|| unbalanced(start))?;
                continue;
            };
            field.push_str(inside);
            if let Some(more) = after.strip_prefix('"') {
                field.push('"');
                quoted = more;
            } else if let Some(next) = after.strip_prefix(',') {
                record.push(field);
                rest = next;
                break;
            } else if after.is_empty() {
                record.push(field);
                return Ok(Some((start, record)));
            } else {
                return Err(unbalanced(lines.line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, token: &str, expected: Option<(&str, &str, &[&str])>) {
        let (tokens, _) = StaticTokens::parse(text).unwrap();
        let user = tokens.get(token).map(|user| (user.name.clone(), user.uid.clone(), user.groups.clone()));
        let expected = expected.map(|(name, uid, groups)| {
            (name.to_owned(), uid.to_owned(), groups.iter().map(|g| (*g).to_owned()).collect())
        });
        assert_eq!(user, expected, "{text:?}");
    }

    #[test]
    fn reads_records() {
        check("t,u,1", "t", Some(("u", "1", &[])));
        check("t,u,1\r\n\n x,v,2\n", " x", Some(("v", "2", &[])));
        check("t,u,1,g", "t", Some(("u", "1", &["g"])));
        check("t,u,1,\"g,h\",more", "t", Some(("u", "1", &["g", "h"])));
        check("t,u,1,", "t", Some(("u", "1", &[""])));
        check("\"a\"\"b\",\"u\r\nv\",1", "a\"b", Some(("u\nv", "1", &[])));
        check("t,u,1", "T", None);
        check(",u,1", "", None);
        check("t,u,1\nt,v,2", "t", Some(("v", "2", &[])));
    }

    #[test]
    fn names_the_line() {
        let error = |text| StaticTokens::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("t,u,1\n\nx,y"),
            "line 3: must have at least 3 columns (token, user name, user uid), found 2"
        );
        assert_eq!(error("t,u\"v,1"), "line 1: bare \" in non-quoted field");
        assert_eq!(error("t,\"u\"v,1"), "line 1: extraneous or missing \" in quoted-field");
        assert_eq!(error("t,u,1\nt,\"u,1\n"), "line 2: extraneous or missing \" in quoted-field");
        let (_, warnings) = StaticTokens::parse(",u,1\nt,u,1\nt,v,2").unwrap();
        assert_eq!(
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "line 1: the token is empty, the record is ignored",
                "line 3: the token is a duplicate, the earlier record is ignored"
            ]
        );
    }
}
