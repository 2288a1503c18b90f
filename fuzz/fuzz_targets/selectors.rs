//! Two lines, a field and a label selector: what is parsed, printed and parsed again is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::selector::{FieldRequirement, FieldSelector, LabelOperator, LabelRequirement, LabelSelector};

fuzz_target!(|text: &str| {
    let (field, label) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(selector) = FieldSelector::parse(field) {
        let printed = print(selector.requirements(), print_field);
        let again = FieldSelector::parse(&printed).expect("printed as Kubernetes prints it");
        assert_eq!(sorted(again.requirements()), sorted(selector.requirements()), "{printed:?}");
        assert_eq!(selector.is_empty(), selector.requirements().is_empty());
        for requirement in selector.requirements() {
            let _ =
                selector.matches(|field| if field == requirement.field { &requirement.value } else { "" });
        }
    }
    if let Ok(selector) = LabelSelector::parse(label) {
        let printed = print(selector.requirements(), print_label);
        let again = LabelSelector::parse(&printed).expect("printed as Kubernetes prints it");
        assert_eq!(sorted(again.requirements()), sorted(selector.requirements()), "{printed:?}");
        for requirement in selector.requirements() {
            let listed = requirement.values.first().map(String::as_str);
            let absent = requirement.matches(None);
            match requirement.operator {
                LabelOperator::Equals | LabelOperator::DoubleEquals | LabelOperator::In => {
                    assert!(requirement.matches(listed) && !absent);
                }
                LabelOperator::NotEquals | LabelOperator::NotIn => {
                    assert!(!requirement.matches(listed) && absent);
                }
                LabelOperator::Exists => assert!(requirement.matches(Some("")) && !absent),
                LabelOperator::DoesNotExist => assert!(!requirement.matches(Some("")) && absent),
                LabelOperator::GreaterThan | LabelOperator::LessThan => {
                    assert!(!requirement.matches(listed) && !absent);
                }
            }
        }
    }
});

fn print<R>(requirements: &[R], one: fn(&R) -> String) -> String {
    requirements.iter().map(one).collect::<Vec<_>>().join(",")
}

fn sorted<R: Clone + std::fmt::Debug>(requirements: &[R]) -> Vec<String> {
    let mut texts: Vec<String> = requirements.iter().map(|r| format!("{r:?}")).collect();
    texts.sort();
    texts
}

fn print_field(requirement: &FieldRequirement) -> String {
    let value = requirement.value.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
    format!("{}{}{value}", requirement.field, requirement.operator.as_str())
}

fn print_label(requirement: &LabelRequirement) -> String {
    let (key, values) = (&requirement.key, requirement.values.join(","));
    match requirement.operator {
        LabelOperator::Exists => key.clone(),
        LabelOperator::DoesNotExist => format!("!{key}"),
        LabelOperator::In | LabelOperator::NotIn => {
            format!("{key} {} ({values})", requirement.operator.as_str())
        }
        LabelOperator::GreaterThan => format!("{key}>{values}"),
        LabelOperator::LessThan => format!("{key}<{values}"),
        operator => format!("{key}{}{values}", operator.as_str()),
    }
}
