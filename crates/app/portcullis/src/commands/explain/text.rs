//! How an explanation is printed.

use anstyle::{AnsiColor, Style};
use gate::explain::{Asked, Check, Consulted, Explanation, Finding, Says, Voice};
use reach::{About, Question};
use types::{Evidence, User};

use crate::{
    commands::{question::Output, what_if::WhatIf},
    exit::{self, Failure},
};

/// Prints the explanation, beside that of the flags as they stand where another setting is tried.
pub(super) fn print(
    asked: &Asked<'_>,
    explanation: &Explanation,
    before: Option<&(WhatIf, Explanation)>,
    output: Output,
) -> Result<(), Failure> {
    match output {
        Output::Json => {
            #[derive(serde::Serialize)]
            #[serde(rename_all = "camelCase")]
            struct Told<'a> {
                question: String,
                #[serde(skip_serializing_if = "Option::is_none")]
                what_if: Option<String>,
                #[serde(skip_serializing_if = "Option::is_none")]
                allowed_as_configured: Option<bool>,
                #[serde(flatten)]
                explanation: &'a Explanation,
            }
            let told = Told {
                question: asked.question.to_string(),
                what_if: before.map(|(what_if, _)| what_if.to_string()),
                allowed_as_configured: before.map(|(_, before)| before.allowed),
                explanation,
            };
            exit::say(&serde_json::to_string_pretty(&told).map_err(Failure::could_not_run)?)
        }
        Output::Table => {
            if let Some((what_if, before)) = before {
                let (word, _) = Outcome::of(before).word();
                exit::say(&format!("what if {what_if} (as configured: {})", word.to_lowercase()))?;
            }
            exit::say(&text(asked.question, explanation))
        }
    }
}

fn text(question: &Question, explanation: &Explanation) -> String {
    let dim = Style::new().dimmed();
    let outcome = Outcome::of(explanation);
    let mut out = verdict(outcome, &question.to_string());
    people(&mut out, explanation.user.as_ref(), explanation.requester.as_ref());
    let mut not_asked: Vec<&String> =
        explanation.layers.iter().flat_map(|finding| &finding.webhooks_not_asked).collect();
    not_asked.dedup();
    for name in not_asked {
        out.push_str(&format!(
            "It hangs on webhook {name}, which explain asks only with --ask-webhooks; below it has failed.\n"
        ));
    }
    if let About::Resource { namespace, resource, .. } = &question.about
        && namespace.is_empty()
        && resource.namespaced != Some(false)
    {
        out.push_str(&format!("{dim}No --namespace: the question is about all of them at once.{dim:#}\n"));
    }
    out.push('\n');
    for finding in &explanation.layers {
        layer(&mut out, finding);
    }
    let decisive = explanation.layers.iter().filter(|finding| match outcome {
        Outcome::Allowed => finding.layer == "authorization",
        Outcome::Refused => finding.answer == Says::Deny,
        Outcome::Undecided => false,
    });
    changes(&mut out, decisive.flat_map(|finding| &finding.change));
    out.truncate(out.trim_end().len());
    out
}

/// What becomes of the request.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Allowed,
    Refused,
    /// That is for a webhook to say.
    Undecided,
}

impl Outcome {
    pub(super) fn of(explanation: &Explanation) -> Self {
        match (explanation.undecided, explanation.allowed) {
            (true, _) => Self::Undecided,
            (false, true) => Self::Allowed,
            (false, false) => Self::Refused,
        }
    }

    fn word(self) -> (&'static str, AnsiColor) {
        match self {
            Self::Allowed => ("ALLOWED", AnsiColor::Green),
            Self::Refused => ("REFUSED", AnsiColor::Red),
            Self::Undecided => ("UNDECIDED", AnsiColor::Yellow),
        }
    }
}

/// `REFUSED  list pods in namespace default`
pub(super) fn verdict(outcome: Outcome, question: &str) -> String {
    let bold = Style::new().bold();
    let (word, colour) = outcome.word();
    let colour = colour.on_default().bold();
    format!("{colour}{word}{colour:#}  {bold}{question}{bold:#}\n")
}

pub(super) fn people(out: &mut String, user: Option<&User>, requester: Option<&User>) {
    if let Some(User { name, groups, .. }) = user {
        out.push_str(&format!("user     {name}\ngroups   {}\n", groups.join(", ")));
    }
    if let Some(requester) = requester {
        out.push_str(&format!("made by  {}\n", requester.name));
    }
}

pub(super) fn changes<'a>(out: &mut String, changes: impl IntoIterator<Item = &'a String>) {
    let bold = Style::new().bold();
    let mut changes = changes.into_iter().peekable();
    if changes.peek().is_some() {
        out.push_str(&format!("\n{bold}For the opposite{bold:#}\n"));
        changes.for_each(|change| out.push_str(&format!("  {change}\n")));
    }
}

pub(super) fn layer(out: &mut String, finding: &Finding) {
    let (word, style) = says(finding.answer);
    let reason = match finding.reason.as_deref() {
        Some(reason) if !matches!(finding.answer, Says::NotConfigured) && reason != "passed" => {
            format!("{reason}  ")
        }
        _ => String::new(),
    };
    // What the authorizers say stands below, one by one.
    let detail = if finding.authorizers.is_empty() { finding.detail.as_str() } else { "" };
    out.push_str(&format!("  {:15} {style}{word:15}{style:#} {reason}{detail}", finding.layer));
    out.truncate(out.trim_end().len());
    out.push('\n');
    for Check { question, answer, authorizers } in &finding.checks {
        let (word, style) = says(*answer);
        let decisive = authorizers.iter().find(|voice| voice.answer == *answer);
        let by = decisive.map(|voice| format!(": {}", voice.detail)).unwrap_or_default();
        out.push_str(&format!("    {style}{word:13}{style:#} {question}{by}\n"));
        decisive.into_iter().for_each(|voice| grounds(out, voice));
    }
    for voice in &finding.authorizers {
        let (word, style) = says(voice.answer);
        out.push_str(&format!("    {style}{word:13}{style:#} {}\n", voice.detail));
        grounds(out, voice);
    }
    finding.webhooks_asked.iter().for_each(|consulted| out.push_str(&asked_text(consulted)));
}

/// What an authorizer went by.
fn grounds(out: &mut String, voice: &Voice) {
    for text in voice.evidence.iter().filter_map(evidence_text) {
        out.push_str(&format!("                  {text}\n"));
    }
}

/// `asked         webhook policy: allow within 12.3ms: members of dev may`
fn asked_text(consulted: &Consulted) -> String {
    let Consulted { webhook, answer, reason, evaluation_error, failure, failure_policy, took } = consulted;
    let within = took.as_ref().map(|took| format!(" within {took}")).unwrap_or_default();
    let mut text = match (answer, failure) {
        (Some(answer), _) => format!("webhook {webhook}: {}{within}", says(*answer).0),
        (None, failure) => {
            let failure = failure.as_deref().unwrap_or("unknown why");
            let policy = failure_policy.as_ref().map(|policy| format!("; its failurePolicy is {policy}"));
            format!("webhook {webhook}: no answer{within}: {failure}{}", policy.unwrap_or_default())
        }
    };
    if !reason.is_empty() {
        text.push_str(&format!(": {reason}"));
    }
    if !evaluation_error.is_empty() {
        text.push_str(&format!(" (evaluationError: {evaluation_error})"));
    }
    format!("    {:13} {text}\n", "asked")
}

fn says(answer: Says) -> (&'static str, Style) {
    match answer {
        Says::Allow => ("allow", AnsiColor::Green.on_default()),
        Says::Deny => ("deny", AnsiColor::Red.on_default()),
        Says::NoOpinion => ("no opinion", Style::new()),
        Says::NotConfigured => ("not configured", Style::new().dimmed()),
        Says::NotAsked => ("not asked", Style::new().dimmed()),
    }
}

/// One fact that an authorizer went by; what follows under "For the opposite" is not said twice.
fn evidence_text(evidence: &Evidence) -> Option<String> {
    Some(match evidence {
        Evidence::Grant(grant) => {
            format!("{} → {} → rule {} {}", grant.binding, grant.role, grant.rule + 1, grant.rule_text)
        }
        Evidence::BrokenBinding { binding, error } => format!("{binding}: {error}"),
        Evidence::Node { grounds, .. } => grounds.clone(),
        Evidence::Condition { webhook, expression, result } => format!("{webhook}: {expression} → {result}"),
        Evidence::DenyListEntry { flag, name } => format!("{flag} {name}"),
        Evidence::Lack { .. } | Evidence::Superuser => return None,
    })
}
