//! A token file: without quotes it is read as splitting at commas reads it, and one that is written
//! with every field in quotes is read as it was meant.
#![no_main]

use std::collections::HashMap;

use authn::StaticTokens;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = StaticTokens::parse(text);
    if text.contains('"') {
        return;
    }
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let records: Vec<Vec<&str>> =
        lines.iter().filter(|line| !line.is_empty()).map(|line| line.split(',').collect()).collect();
    let is_short = records.iter().any(|record| record.len() < 3);
    assert_eq!(parsed.is_err(), is_short);
    let Ok((tokens, _)) = parsed else { return };
    users.extend(records.iter().map(|record| (record[0], record.clone())));
    users.remove("");
    for (token, record) in &users {
        let user = tokens.get(token).expect("the token is there");
        assert_eq!((user.name.as_str(), user.uid.as_str()), (record[1], record[2]));
        assert_eq!(user.groups.join(","), record.get(3).copied().unwrap_or_default());
    }
    assert!(tokens.get("").is_none());

    let quoted: Vec<String> = records
        .iter()
        .map(|record| record.iter().map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(","))
        .collect();
    let (again, _) = StaticTokens::parse(&quoted.join("\r\n")).expect("nothing changes by quotes");
    assert!(users.keys().all(|token| again.get(token) == tokens.get(token)));
});
