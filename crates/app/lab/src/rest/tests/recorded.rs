use super::*;

/// Whose answer it is, where not the lab's.
const ELSEWHERE: &[(&str, &str)] = &[
    ("/metrics", "the gate's own page"),
    ("/api/v1/watch", "the gate refuses what names no resource before anybody is asked"),
    ("/apis/apps/v1/watch", "as before"),
    ("/api/v1/proxy", "as before"),
    ("/.well-known/openid-configuration", "the lab's issuer is not published"),
];

/// What a running kube-apiserver 1.36 with its default objects answered to a client in
/// `system:masters`, path by path. Other forms of targets than the plain one are the gate's to read.
#[test]
fn recorded_paths_have_the_recorded_status() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../testing/conformance/vectors/request_info.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let lab = Lab::new();
    let (mut met, mut elsewhere, mut wrong) = (0, 0, Vec::new());
    for case in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let Some(status) = case["expect"]["server"]["status"].as_u64() else { continue };
        let (method, target) =
            (case["given"]["method"].as_str().unwrap(), case["given"]["uri"].as_str().unwrap());
        let plain = target.starts_with('/') && !target.contains('#') && target.parse::<http::Uri>().is_ok();
        if !plain || method.parse::<Method>().is_err() {
            continue;
        }
        let got = lab.head(&format!("{method} {target}"));
        let path = target.split('?').next().unwrap().trim_end_matches('/');
        if u64::from(got) == status {
            met += 1;
        } else if ELSEWHERE.iter().any(|(there, _)| path == *there) {
            elsewhere += 1;
        } else {
            wrong.push(format!("{method} {target}: {got}, not {status}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(met > 400 && elsewhere < 20, "{met} met, {elsewhere} elsewhere");
}
