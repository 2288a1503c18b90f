use super::*;

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[test]
fn pages_are_of_one_moment() {
    let lab = Lab::new();
    for name in ["a", "b", "c", "d", "e"] {
        lab.create(MAPS, &config_map(name));
    }
    let first = lab.get(&format!("{MAPS}?limit=2"));
    let page = first.json();
    assert_eq!(names(&page), ["a", "b"]);
    assert_eq!(page["metadata"]["remainingItemCount"], 3);
    lab.send(&format!("DELETE {MAPS}/c"), &[], "");
    lab.create(MAPS, &config_map("bb"));
    let next =
        |page: &Value| format!("{MAPS}?limit=2&continue={}", page["metadata"]["continue"].as_str().unwrap());
    let second = lab.get(&next(&page)).json();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], page["metadata"]["resourceVersion"]);
    let third = lab.get(&next(&second)).json();
    assert_eq!((names(&third), &third["metadata"]["continue"]), (vec!["e"], &Value::Null));
    lab.api.store().compact();
    let gone = lab.get(&next(&page));
    check(&gone, 410, json!({"reason": "Expired", "code": 410}));
    assert!(gone.text.contains("The provided continue parameter is too old"));
    let rest = lab.get(&next(&gone.json())).json();
    assert_eq!(names(&rest), ["bb", "d"], "inconsistent, and told so");
    let all = lab.get("/api/v1/configmaps?limit=1").json();
    let token = all["metadata"]["continue"].as_str().unwrap();
    assert_eq!(
        names(&lab.get(&format!("/api/v1/configmaps?continue={token}")).json()),
        ["b", "bb", "d", "e"]
    );
}

#[test]
fn versions_of_a_list() {
    let lab = Lab::new();
    lab.create(MAPS, &config_map("a"));
    let then = lab.get(MAPS).version();
    lab.create(MAPS, &config_map("b"));
    let now = lab.get(MAPS).version();
    let at = |version: u64, how: &str| {
        lab.get(&format!("{MAPS}?resourceVersion={version}&resourceVersionMatch={how}"))
    };
    assert_eq!(names(&at(then, "Exact").json()), ["a"]);
    assert_eq!(names(&at(then, "NotOlderThan").json()), ["a", "b"]);
    check(
        &at(now + 5, "NotOlderThan"),
        504,
        json!({
            "message": format!("Timeout: Too large resource version: {}, current: {now}", now + 5),
            "details": {"causes": [{"reason": "ResourceVersionTooLarge"}], "retryAfterSeconds": 1},
        }),
    );
    check(&lab.get(&format!("{MAPS}/a?resourceVersion={}", now + 5)), 504, json!({"reason": "Timeout"}));
    lab.api.store().compact();
    check(
        &at(then, "Exact"),
        410,
        json!({"message": "The resourceVersion for the provided list is too old."}),
    );
    for (query, code, message) in [
        (
            "resourceVersionMatch=Exact",
            422,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "resourceVersion=abc",
            400,
            "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        (
            "continue=abc",
            400,
            "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value",
        ),
    ] {
        check(&lab.get(&format!("{MAPS}?{query}")), code, json!({ "message": message }));
    }
}

#[test]
fn selectors_narrow_a_list() {
    let lab = Lab::new();
    for name in ["a", "b", "c"] {
        lab.create(PODS, &pod(name));
    }
    lab.settle();
    lab.create(PODS, &pod("late"));
    for (query, expected) in [
        ("labelSelector=app%3Db", vec!["b"]),
        ("labelSelector=app%20in%20(a,c)", vec!["a", "c"]),
        ("labelSelector=!app", vec![]),
        ("fieldSelector=metadata.name%3Da", vec!["a"]),
        ("fieldSelector=spec.nodeName%3Dnode1", vec!["a", "b", "c"]),
        ("fieldSelector=status.phase!%3DRunning", vec!["late"]),
        ("fieldSelector=metadata.namespace%3Dother", vec![]),
        ("labelSelector=app!%3Da&fieldSelector=status.phase%3DRunning", vec!["b", "c"]),
    ] {
        assert_eq!(names(&lab.get(&format!("/api/v1/pods?{query}")).json()), expected, "{query}");
    }
    let page = lab.get(&format!("{PODS}?labelSelector=app&limit=1")).json();
    assert_eq!(page["metadata"]["remainingItemCount"], Value::Null, "not told with selectors");
}
