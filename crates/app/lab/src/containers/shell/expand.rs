//! What words become: variables, and what commands print.

use super::{
    Io, Shell,
    parse::{Part, Word},
};
use crate::containers::pipe::pipe;

/// What a command's output may become in `$(…)`.
const SUBSTITUTED: usize = 1 << 20;
impl Shell {
    /// The words that a program is given.
    pub(super) async fn expand(&mut self, words: &[Word], io: &Io) -> Vec<String> {
        let mut expanded = Vec::new();
        for word in words {
            let mut current: Option<String> = None;
            for part in word {
                let (text, splits) = self.part(part, io).await;
                if !splits {
                    current.get_or_insert_default().push_str(&text);
                    continue;
                }
                // An unquoted value may be many words, or none.
                let mut pieces = text.split_whitespace();
                if text.starts_with(char::is_whitespace) {
                    expanded.extend(current.take());
                }
                if let Some(first) = pieces.next() {
                    current.get_or_insert_default().push_str(first);
                }
                for piece in pieces {
                    expanded.extend(current.replace(piece.to_owned()));
                }
                if text.ends_with(char::is_whitespace) {
                    expanded.extend(current.take());
                }
            }
            expanded.extend(current);
        }
        expanded
    }

    /// A word that stays one, as in a redirection.
    pub(super) async fn one(&mut self, word: &Word, io: &Io) -> String {
        let mut whole = String::new();
        for part in word {
            whole.push_str(&self.part(part, io).await.0);
        }
        whole
    }

    /// A part's text, and whether blanks in it separate words.
    async fn part(&mut self, part: &Part, io: &Io) -> (String, bool) {
        match part {
            Part::Text(text) => (text.clone(), false),
            Part::Variable { name, quoted } => {
                let value = match name.as_str() {
                    "?" => self.status.to_string(),
                    "$" => "1".to_owned(),
                    "#" => "0".to_owned(),
                    name => self.variables.get(name).cloned().unwrap_or_default(),
                };
                (value, !quoted)
            }
            Part::Command { script, quoted } => {
                let (output, printed) = pipe();
                let inner = Io { output, ..io.clone() };
                let mut shell = self.clone();
                let work = async move { shell.node(script, &inner).await };
                let (status, printed) = tokio::join!(work, async {
                    let all = printed.all(SUBSTITUTED).await;
                    drop(printed);
                    all
                });
                self.status = status;
                let text = String::from_utf8_lossy(&printed.unwrap_or_default()).into_owned();
                (text.trim_end_matches('\n').to_owned(), !quoted)
            }
        }
    }
}
