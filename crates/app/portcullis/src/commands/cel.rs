//! `portcullis cel`: what kube-apiserver makes of an expression.

use std::{fs, path::PathBuf};

use ::cel::{AccessReviewSpec, Claims, CompileError, Environment, Expected, Issue, Object, Program, limits};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use unicode_width::UnicodeWidthChar;

use crate::exit::{self, Failure};

/// Exit codes: 0 the expression is right, 1 it is refused or has no value, 3 the input cannot be read.
#[derive(clap::Args)]
pub(crate) struct Cel {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Say the type of an expression, or where it is wrong
    Check(Question),
    /// Run an expression: its value, its type and what it cost
    Eval {
        #[command(flatten)]
        question: Question,
        /// JSON: the claims of a token, a user (username, uid, groups, extra), or the spec of a SubjectAccessReview
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
    },
}

#[derive(clap::Args)]
struct Question {
    /// Which configuration the expression stands in
    #[arg(long, value_enum, value_name = "WHICH")]
    env: Env,
    /// Which variable it is over, in authentication configuration
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Variable::Claims)]
    variable: Variable,
    /// The expression
    #[arg(long, value_name = "CEL", allow_hyphen_values = true)]
    expression: String,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Env {
    /// Claim mappings and validation rules, over `claims` or `user`
    Authentication,
    /// Match conditions of webhooks, over `request`; must be a bool
    Authorization,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Variable {
    Claims,
    User,
}

impl Cel {
    pub(crate) fn run(self) -> Result<u8, Failure> {
        match self.action {
            Action::Check(question) => match question.compile() {
                Ok(program) => {
                    exit::say(&program.kind().to_string())?;
                    Ok(exit::FINE)
                }
                Err(error) => refused(&question.expression, &error),
            },
            Action::Eval { question, input } => match question.compile() {
                Ok(program) => question.eval(&program, &input),
                Err(error) => refused(&question.expression, &error),
            },
        }
    }
}

impl Question {
    fn environment(&self) -> Environment {
        match (self.env, self.variable) {
            (Env::Authentication, Variable::Claims) => Environment::Claims,
            (Env::Authentication, Variable::User) => Environment::User,
            (Env::Authorization, _) => Environment::Request,
        }
    }

    fn compile(&self) -> Result<Program, CompileError> {
        let expected = match self.env {
            Env::Authentication => Expected::Anything,
            Env::Authorization => Expected::Bool,
        };
        Program::compile(&self.expression, self.environment(), expected)
    }

    fn eval(&self, program: &Program, file: &PathBuf) -> Result<u8, Failure> {
        match self.environment() {
            Environment::Claims => told(program, &Claims(&read::<Map<String, Json>>(file)?)),
            Environment::User => told(program, &read::<types::User>(file)?),
            Environment::Request => told(program, &read::<AccessReviewSpec>(file)?),
        }
    }
}

fn read<T: DeserializeOwned>(file: &PathBuf) -> Result<T, Failure> {
    let shown = file.display();
    let text =
        fs::read_to_string(file).map_err(|error| Failure::could_not_run(format!("{shown}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| Failure::could_not_run(format!("{shown}: {error}")))
}

/// Runs the program and prints what came out.
fn told(program: &Program, input: &dyn Object) -> Result<u8, Failure> {
    let evaluation = program.evaluate(input);
    let code = match &evaluation.result {
        Ok(value) => {
            exit::say(&format!("value: {}", value.to_json()))?;
            exit::FINE
        }
        Err(error) => {
            exit::say(&format!("error: {error}"))?;
            exit::FINDINGS
        }
    };
    exit::say(&format!("type:  {}", program.kind()))?;
    exit::say(&format!("cost:  {} of {}", evaluation.cost, limits::MAX_COST))?;
    Ok(code)
}

fn refused(expression: &str, error: &CompileError) -> Result<u8, Failure> {
    match error {
        CompileError::Issues(issues) => {
            for issue in issues {
                exit::say(&pointed(expression, issue))?;
            }
        }
        other => exit::say(&other.to_string())?,
    }
    Ok(exit::FINDINGS)
}

/// The mistake, the line it is in, a caret under the place, and what may have been meant.
fn pointed(expression: &str, issue: &Issue) -> String {
    let line = expression.split('\n').nth(issue.line.saturating_sub(1)).unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    // A tab stays a tab and what is two columns wide takes two, so that the caret stands where the terminal
    // puts the character.
    let indent: String = line
        .chars()
        .take(issue.column.saturating_sub(1))
        .map(|c| if c == '\t' { "\t".to_owned() } else { " ".repeat(c.width().unwrap_or(0)) })
        .collect();
    let hint = issue.hint.as_ref().map(|hint| format!("\n = {hint}")).unwrap_or_default();
    format!("{issue}\n | {line}\n | {indent}^{hint}")
}

#[cfg(test)]
mod tests {
    use ::cel::{CompileError, Environment, Expected, Program};

    use super::pointed;

    #[test]
    fn a_caret_stands_under_the_place() {
        for (expression, expected) in [
            (
                "user.name",
                "1:5: undefined field 'name'\n | user.name\n |     ^\n = there are: username, uid, groups, extra",
            ),
            (
                "'漢字' == user.uids",
                "1:13: undefined field 'uids'\n | '漢字' == user.uids\n |               ^\n = did you mean `uid`?",
            ),
            (
                "user.uid == '' ||\n\tuser.groups[0] == 5",
                "2:17: found no matching overload for '_==_' applied to '(string, int)'\n | \tuser.groups[0] == 5\n | \t               ^",
            ),
        ] {
            match Program::compile(expression, Environment::User, Expected::Bool) {
                Err(CompileError::Issues(issues)) => {
                    let shown: Vec<String> = issues.iter().map(|issue| pointed(expression, issue)).collect();
                    assert_eq!(shown, [expected]);
                }
                other => panic!("{expression}: {other:?}"),
            }
        }
    }
}
