//! Commands and what they print, as a person would paste them.

/// One command and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands in the file, counted from 1.
    pub line: usize,
    /// What is typed.
    pub command: String,
    /// The exit status.
    pub status: i32,
    /// What is printed, output and errors together.
    pub output: Vec<String>,
}

/// The steps of a Markdown text. A command goes on in the next line after a backslash.
pub fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            inside = !inside && line.trim() == "```console";
            goes_on = false;
            continue;
        }
        if !inside {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            goes_on = command.ends_with('\\');
            let command = command.to_owned();
            steps.push(Step { line: number + 1, command, status: 0, output: Vec::new() });
        } else if let Some(step) = steps.last_mut() {
            if goes_on {
                goes_on = line.ends_with('\\');
                step.command.push('\n');
                step.command.push_str(line);
            } else if let Some(status) = line.strip_prefix("? ").and_then(|status| status.parse().ok()) {
                step.status = status;
            } else {
                step.output.push(line.to_owned());
            }
        }
    }
    steps
}

/// Whether `found` is what `expected` describes.
pub fn same(expected: &[String], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((line, rest)) if line == "..." => {
            (0..=found.len()).any(|skipped| same(rest, found.split_at(skipped).1))
        }
        Some((line, rest)) => {
            found.split_first().is_some_and(|(first, others)| same_line(line, first) && same(rest, others))
        }
    }
}

/// Whether a line is what a pattern with `[..]` describes. Blanks at the end do not count.
fn same_line(pattern: &str, line: &str) -> bool {
    let (pattern, mut rest) = (pattern.trim_end(), line.trim_end());
    let mut pieces = pattern.split("[..]");
    let first = pieces.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_transcript() {
        let text = "text\n```console\n$ a \\\n  b\nout\n$ c\n? 1\n```\n$ not this\n```sh\n$ nor this\n```\n";
        let step = |line, command: &str, status, output: &[&str]| Step {
            line,
            command: command.to_owned(),
            status,
            output: output.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(parse(text), [step(3, "a \\\n  b", 0, &["out"]), step(6, "c", 1, &[])]);
    }

    #[test]
    fn compares_with_wildcards() {
        let check = |expected: &str, found: &str, same_as: bool| {
            let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
            let found: Vec<&str> = found.lines().collect();
            assert_eq!(same(&expected, &found), same_as, "{expected:?} {found:?}");
        };
        check("a\nb", "a\nb  ", true);
        check("a\nb", "a", false);
        check("a\n...\nd", "a\nb\nc\nd", true);
        check("...", "", true);
        check("a\n...", "b", false);
        check("pod/[..] created", "pod/web created", true);
        check("pod/[..] created", "pod/web deleted", false);
        check("[..]a[..]b", "xaxb", true);
        check("[..]a[..]b", "xbxa", false);
        check("abc", "abcd", false);
    }
}
