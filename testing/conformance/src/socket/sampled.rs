//! Random cases of files that decide about a user, sent as requests through a running gate, twice:
//! cold and warm. What the function says must be what the gate does.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use request::RequestInfo;
use serde_json::{Value, json};
use testkit::{Reply, Upstream};
use types::User;

use super::{Fixture, head};
use crate::{
    Case, Flip, Ledger, Mode, Outcome,
    given::{GivenAttributes, GivenUser},
    read_cases,
};

const FILE: &str = "rbac.jsonl";
const LABEL: &str = "rbac.jsonl (200 random requests through the gate, cold and warm)";
const SAMPLE: usize = 200;
const TOKEN: &str = "sampled";

pub(super) fn run(folder: &Path, _: &Ledger, mode: Mode) -> (bool, Vec<String>) {
    let cases = match read_cases(&folder.join(FILE)) {
        Ok(cases) => cases,
        Err(error) => return (false, vec![format!("{LABEL}: {error}")]),
    };
    let seed = env::var("PORTCULLIS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(now);
    let mut flip = if mode == Mode::Mutate { Flip::armed() } else { Flip::off() };
    let chosen = choose(&cases, seed);
    let (mut met, mut wrong) = (0, Vec::new());
    for (at, numbers) in &chosen {
        let Some(case) = cases.get(*at) else { continue };
        if flip.used() {
            break;
        }
        match check(case, folder, numbers, &mut flip) {
            Ok(()) => met += numbers.len(),
            Err(difference) => wrong.push(format!("  {}: {difference}", case.id)),
        }
    }
    let sent: usize = chosen.values().map(Vec::len).sum();
    if mode == Mode::Mutate {
        let noticed = !wrong.is_empty();
        let verdict = if noticed { "is noticed" } else { "goes UNNOTICED" };
        return (noticed, vec![format!("{LABEL}: a flipped decision {verdict}")]);
    }
    let mut lines = vec![format!("{LABEL}: {met}/{sent}, PORTCULLIS_SEED={seed}")];
    lines.extend(wrong.iter().take(20).cloned());
    (wrong.is_empty() && sent > 0, lines)
}

/// Whether an API server, and so a folder of manifests, can hold the objects of a world. The cases hold
/// the authorizer to worlds beyond that.
pub(super) fn can_be_stored(world: &str) -> bool {
    let folder = testkit::Folder::new();
    folder.write("world.json", format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":{world}}}"));
    config::manifests::load(folder.path(), config::manifests::Wanted::RBAC).is_ok()
}

/// Random requests among those that can be said over HTTP, by case.
fn choose(cases: &[Case], seed: u64) -> BTreeMap<usize, Vec<usize>> {
    let mut sayable: Vec<(usize, usize)> = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let world = case.given.get("objects").map(Value::to_string).unwrap_or_default();
        if !can_be_stored(&world) {
            continue;
        }
        let requests = case.given.get("requests").and_then(Value::as_array).cloned().unwrap_or_default();
        for (number, request) in requests.iter().enumerate() {
            if Said::new(request, &world).is_some() {
                sayable.push((at, number));
            }
        }
    }
    let mut chosen: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut state = seed;
    for _ in 0..SAMPLE.min(sayable.len()) {
        let index = usize::try_from(next(&mut state) % sayable.len() as u64).unwrap_or(0);
        let (at, number) = sayable.swap_remove(index);
        chosen.entry(at).or_default().push(number);
    }
    chosen
}

fn check(case: &Case, folder: &Path, numbers: &[usize], flip: &mut Flip) -> Outcome {
    let mut items = case.given.get("objects").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(file) = case.given.get("objectsFrom").and_then(Value::as_str) {
        let text = std::fs::read_to_string(folder.join(file)).map_err(|e| format!("{file}: {e}"))?;
        let list: Value = serde_json::from_str(&text).map_err(|e| format!("{file}: {e}"))?;
        items.extend(list.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
    }
    let world = items.iter().map(Value::to_string).collect::<String>();
    let said: Vec<(usize, Said)> = numbers
        .iter()
        .filter_map(|&number| {
            let request = case.given.get("requests")?.get(number)?;
            Said::new(request, &world).map(|said| (number, said))
        })
        .collect();
    let tokens: String = said.iter().map(|(number, said)| said.token_line(*number)).collect();
    let upstream = Upstream::start(|_| Reply::json(200, "{}"));
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let fixture = Fixture::start(upstream, &list, |options, folder| {
        options.token_auth_file = Some(folder.write("tokens.csv", &tokens));
    })?;
    for (number, said) in &said {
        let expected = case.expect.pointer(&format!("/results/{number}/decision")).and_then(Value::as_str);
        for temperature in ["cold", "warm"] {
            fixture.upstream.take();
            let headers = [
                ("Host".to_owned(), "gateway.example".to_owned()),
                ("Authorization".to_owned(), format!("Bearer {TOKEN}-{number}")),
                ("Content-Length".to_owned(), "0".to_owned()),
            ];
            let status = fixture.send(None, &head(&said.method, &said.target, &headers))?.status;
            let reached = fixture.upstream.take().len();
            let status = flip.decision(status, |status| if status == 200 { 403 } else { 200 });
            let as_recorded = match expected {
                Some("Allow") => (status, reached) == (200, 1),
                Some("NoOpinion") => (status, reached) == (403, 0),
                _ => false,
            };
            if !as_recorded {
                return Err(format!(
                    "request {number} ({temperature}): {} {} answered {status}, {reached} reached upstream, \
                     recorded {expected:?}",
                    said.method, said.target
                ));
            }
        }
    }
    Ok(())
}

/// A question as an HTTP request.
struct Said {
    method: String,
    target: String,
    user: User,
}

impl Said {
    /// `None` where no request asks exactly this, or where what every authenticated user gets on top
    /// would change the question.
    fn new(request: &Value, world: &str) -> Option<Self> {
        let asked: GivenAttributes = serde_json::from_value(request.clone()).ok()?;
        let user: GivenUser = serde_json::from_value(request.get("user")?.clone()).ok()?;
        let user = User::from(user);
        let plain = |text: &String| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"\",".contains(c))
        };
        let group_is_added = !user.in_group("system:authenticated");
        if !plain(&user.name)
            || !user.groups.iter().all(plain)
            || !user.extra.is_empty()
            || user.name == "system:anonymous"
            || user.in_group("system:masters")
            || (group_is_added && world.contains("system:authenticated"))
        {
            return None;
        }
        let (method, target) = asked.ask(|at| {
            let target = if at.resource_request {
                let mut target = match at.api_group {
                    "" => format!("/api/{}", at.api_version),
                    group => format!("/apis/{group}/{}", at.api_version),
                };
                if !at.namespace.is_empty() {
                    target.push_str(&format!("/namespaces/{}", at.namespace));
                }
                for piece in [at.resource, at.name, at.subresource] {
                    if !piece.is_empty() {
                        target.push_str(&format!("/{piece}"));
                    }
                }
                if at.verb == "watch" { format!("{target}?watch=true") } else { target }
            } else {
                at.path.to_owned()
            };
            let method = match at.verb {
                "list" | "watch" if at.resource_request => "GET".to_owned(),
                "create" if at.resource_request => "POST".to_owned(),
                "update" if at.resource_request => "PUT".to_owned(),
                "deletecollection" if at.resource_request => "DELETE".to_owned(),
                verb => verb.to_uppercase(),
            };
            (method, target)
        });
        // Whether the request asks this question is for the reader of requests to say.
        let info = RequestInfo::parse(&method, &target).ok()?;
        let found = info.attributes(&user);
        let same = asked.ask(|at| {
            at.resource_request == found.resource_request
                && at.verb == found.verb
                && if at.resource_request {
                    (at.namespace, at.api_group, at.api_version)
                        == (found.namespace, found.api_group, found.api_version)
                        && (at.resource, at.subresource, at.name)
                            == (found.resource, found.subresource, found.name)
                } else {
                    (at.namespace, at.path) == ("", found.path)
                }
        });
        let sendable = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        (same && sendable && method != "HEAD").then_some(Self { method, target, user })
    }

    fn token_line(&self, number: usize) -> String {
        let User { name, uid, groups, .. } = &self.user;
        format!("{TOKEN}-{number},{name},{uid},\"{}\"\n", groups.join(","))
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ since.as_secs()
}

/// The next number of splitmix64: enough to choose cases by.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
