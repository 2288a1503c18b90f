//! The list options that a request line carries, as far as they change what is asked.

use std::borrow::Cow;

use crate::query;

/// The first value of each option.
#[derive(Default)]
pub(super) struct ListOptions<'q> {
    pub(super) field_selector: Option<Cow<'q, str>>,
    pub(super) label_selector: Option<Cow<'q, str>>,
    watch: Option<Cow<'q, str>>,
    limit: Option<Cow<'q, str>>,
    timeout_seconds: Option<Cow<'q, str>>,
}

impl<'q> ListOptions<'q> {
    pub(super) fn parse(raw_query: &'q str) -> Self {
        let mut options = Self::default();
        for (key, value) in query::pairs(raw_query) {
            let option = match &*key {
                "fieldSelector" => &mut options.field_selector,
                "labelSelector" => &mut options.label_selector,
                "watch" => &mut options.watch,
                "limit" => &mut options.limit,
                "timeoutSeconds" => &mut options.timeout_seconds,
                _ => continue,
            };
            option.get_or_insert(value);
        }
        options
    }

    /// Whether this is a watch. `decodes`: all list options do.
    // UPSTREAM: any value but `false` and `0` means yes, the empty one too; only where all options decode
    // is `false` compared by Unicode's case folding, which knows a long s (kube-apiserver 1.36)
    pub(super) fn watch(&self, decodes: bool) -> bool {
        let is_false = |value: &str| {
            value == "0"
                || value.eq_ignore_ascii_case("false")
                || decodes && value.replace('ſ', "s").eq_ignore_ascii_case("false")
        };
        self.watch.as_deref().is_some_and(|value| !is_false(value))
    }

    /// Whether the options that are numbers are numbers.
    pub(super) fn integers_decode(&self) -> bool {
        let decodes =
            |value: &Option<Cow<'_, str>>| value.as_deref().is_none_or(|v| v.parse::<i64>().is_ok());
        decodes(&self.limit) && decodes(&self.timeout_seconds)
    }
}
