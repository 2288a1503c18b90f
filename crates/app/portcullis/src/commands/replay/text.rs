//! How a report is printed.

use std::collections::BTreeSet;

use anstyle::Style;
use comfy_table::{Table, presets};
use trail::{Group, Report, WebhookReport};

/// For people.
pub(super) fn text(report: &Report, what_if: &str) -> String {
    let bold = Style::new().bold();
    let mut out = format!("{bold}{} requests under {what_if}{bold:#}\n", report.judged);
    let mut section = |what: &str, groups: &[Group], more: u64| {
        let requests: u64 = groups.iter().map(|group| group.count).sum::<u64>() + more;
        out.push_str(&format!("\n{bold}{requests} {what}{bold:#}\n"));
        if groups.is_empty() {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["COUNT", "USER", "VERB", "RESOURCE", "NAMESPACE"]);
        for Group { user, verb, resource, namespace, count, .. } in groups {
            table.add_row([&count.to_string(), user, verb, resource, namespace]);
        }
        table.lines().for_each(|line| out.push_str(&format!("{}\n", line.trim_end())));
        if more > 0 {
            out.push_str(&format!(" {more} more of other kinds\n"));
        }
    };
    section("would be refused that were allowed", &report.newly_refused, report.more_refused);
    section("would be allowed that were refused", &report.newly_allowed, report.more_allowed);
    if report.is_undecided() {
        let webhooks: BTreeSet<&str> = report.undecided.iter().map(|group| group.webhook.as_str()).collect();
        let webhooks: Vec<&str> = webhooks.into_iter().collect();
        let what = format!(
            "undecided: webhook {} has the word, and --ask-webhooks was not given",
            webhooks.join(", ")
        );
        section(&what, &report.undecided, report.more_undecided);
    }
    if !report.webhooks.is_empty() {
        out.push('\n');
    }
    for (webhook, WebhookReport { asked, failed, first_failure }) in &report.webhooks {
        out.push_str(&format!("webhook {webhook}: answers needed: {asked}, not to be had: {failed}"));
        if let Some(failure) = first_failure {
            out.push_str(&format!(", so its failurePolicy held: {failure}"));
        }
        out.push('\n');
    }
    out.push_str(&format!(
        "\nunchanged: {} allowed, {} refused\n",
        report.still_allowed, report.still_refused
    ));
    for (code, count) in &report.not_asked {
        out.push_str(&format!("not judged: {count} ended with {code} before an authorizer answered\n"));
    }
    if report.bad > 0 {
        out.push_str(&format!("not read: {} of {} lines\n", report.bad, report.lines));
        for (line, why) in &report.bad_lines {
            out.push_str(&format!("  line {line}: {why}\n"));
        }
        let more = report.bad - report.bad_lines.len() as u64;
        if more > 0 {
            out.push_str(&format!("  and {more} more\n"));
        }
    }
    out.truncate(out.trim_end().len());
    out
}
