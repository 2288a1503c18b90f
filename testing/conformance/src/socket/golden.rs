//! http_golden.jsonl: whole answers of live servers, with a player behind the gate.
//!
//! Of the servers `main` and `noanon`, the lines whose credential the gate can judge are sent. A line
//! that kube-apiserver's layers answered must be answered by the gate (the player would say `418
//! reached`); any other line must come back as the player gave it, and never counts as met.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use lab::environment::{
    SigningKey, TokenClaims,
    token::{BoundTo, Named},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{Authority, Certified, Message, Reply, Response, Spec, Upstream};

use super::{Fixture, head, told};
use crate::{Case, Flip, Ledger, Mode, Outcome, read_cases};

const FILE: &str = "http_golden.jsonl";
const ISSUER: &str = "https://kubernetes.default.svc";
/// The service account that the credentials `sa:…` belong to.
const ROBOT: (&str, &str, &str) = ("prod", "robot", "5d1f9d6e-0000-4000-8000-000000000001");

#[derive(Deserialize)]
struct Given {
    instance: String,
    credential: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    #[serde(rename = "bodyText", default)]
    body_text: String,
    #[serde(rename = "bodyBase64", default)]
    body_base64: String,
}

#[derive(Deserialize)]
struct Expect {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<Value>,
    #[serde(rename = "bodyText")]
    body_text: Option<String>,
    #[serde(rename = "bodyNote")]
    body_note: Option<String>,
}

/// How many lines of the project's own files are left out, and why: no number may grow.
const LEFT_OUT_AT_MOST: &[(&str, usize)] = &[
    (CONDITIONS, 23),
    (ESCALATION, 2),
    (FRONT_PROXY, 8),
    (OPENID, 15),
    (PARTIAL, 1),
    (UPGRADES, 20),
    (WEBHOOK, 25),
];
const CONDITIONS: &str = "anonymous conditions need AuthenticationConfiguration";
const ESCALATION: &str = "RBAC escalation, which the API server judges by the body";
const FRONT_PROXY: &str = "front proxy";
const OPENID: &str = "OpenID Connect";
const PARTIAL: &str = "the recording does not tell the whole request line";
const UPGRADES: &str = "upgrades, which the gate's own tests send";
const WEBHOOK: &str = "the token webhook";

/// What becomes of a line.
enum Part {
    /// A layer answers.
    Decided,
    /// The upstream answers.
    PassedOn,
    /// It is not sent, for this reason.
    LeftOut(&'static str),
}

pub(super) fn run(folder: &Path, ledger: &Ledger, mode: Mode) -> (bool, Vec<String>) {
    match play(folder, ledger, mode) {
        Ok(outcome) => outcome,
        Err(error) => (false, vec![format!("{FILE}: {error}")]),
    }
}

fn play(folder: &Path, ledger: &Ledger, mode: Mode) -> Result<(bool, Vec<String>), String> {
    let cases = read_cases(&folder.join(FILE)).map_err(|e| e.to_string())?;
    let setup = std::fs::read_to_string(folder.join("http_golden_setup.json")).map_err(|e| e.to_string())?;
    let setup: Value = serde_json::from_str(&setup).map_err(|e| e.to_string())?;
    let bootstrap = std::fs::read_to_string(folder.join("bootstrap_rbac.json")).map_err(|e| e.to_string())?;
    let bootstrap: Value = serde_json::from_str(&bootstrap).map_err(|e| e.to_string())?;
    let mut instances = HashMap::new();
    for (name, anonymous) in [("main", true), ("noanon", false)] {
        instances.insert(name, Instance::start(&setup, &bootstrap, anonymous)?);
    }
    let mut flip = if mode == Mode::Mutate { Flip::armed() } else { Flip::off() };
    let (mut decided, mut met, mut passed_on) = (0, 0, 0);
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let (given, expect): (Given, Expect) = (case.given()?, case.expect()?);
        let part = part_of(&given, &expect);
        let Some(instance) =
            instances.get(given.instance.as_str()).filter(|_| !matches!(part, Part::LeftOut(_)))
        else {
            let Part::LeftOut(reason) = part else { return Err(format!("{}: no such server", case.id)) };
            *left_out.entry(reason).or_default() += 1;
            continue;
        };
        if matches!(part, Part::PassedOn) && mode == Mode::Mutate {
            continue;
        }
        let is_decided = matches!(part, Part::Decided);
        match (instance.check(case, &given, &expect, is_decided, &mut flip), is_decided) {
            (Ok(()), true) => met += 1,
            (Ok(()), false) => passed_on += 1,
            (Err(_), _) if ledger.reason(FILE, &case.id).is_some() => {}
            (Err(difference), _) => wrong.push(format!("  {} ({}): {difference}", case.id, case.about)),
        }
        decided += usize::from(is_decided);
        if flip.used() && mode == Mode::Mutate {
            let noticed = !wrong.is_empty();
            let verdict = if noticed { "is noticed" } else { "goes UNNOTICED" };
            return Ok((noticed, vec![format!("{FILE}: a flipped decision {verdict}")]));
        }
    }
    let mut lines = vec![format!("{FILE}: {met}/{decided} decided, {passed_on} passed on")];
    lines.extend(left_out.iter().map(|(reason, count)| format!("  left out: {count} ({reason})")));
    if folder == Path::new(crate::HOME).join("vectors") {
        wrong.extend(left_out.iter().filter_map(|(reason, count)| {
            let most =
                LEFT_OUT_AT_MOST.iter().find(|(known, _)| known == reason).map_or(0, |(_, most)| *most);
            (*count > most).then(|| format!("  left out: {count} ({reason}) are more than {most}"))
        }));
    }
    lines.extend(wrong.iter().take(20).cloned());
    Ok((wrong.is_empty() && mode == Mode::Compare, lines))
}

fn part_of(given: &Given, expect: &Expect) -> Part {
    let has = |prefix: &str| given.headers.iter().any(|(name, _)| name.to_lowercase().starts_with(prefix));
    match given.credential.as_str() {
        _ if given.instance == "cond" => {
            return Part::LeftOut(CONDITIONS);
        }
        // The recorded servers trust one CA for clients and for front proxies: a certificate that is no
        // client's is an error there because it is no front proxy's either.
        "cert:proxy" | "cert:nobodycn" => return Part::LeftOut(FRONT_PROXY),
        credential if credential.starts_with("oidc:") => return Part::LeftOut(OPENID),
        credential if credential.starts_with("token:wh-") => return Part::LeftOut(WEBHOOK),
        _ => {}
    }
    if has("x-remote-") {
        return Part::LeftOut(FRONT_PROXY);
    }
    if has("upgrade") || expect.status == 101 {
        return Part::LeftOut(UPGRADES);
    }
    if given.path.contains('<') {
        return Part::LeftOut(PARTIAL);
    }
    let message = expect.body.as_ref().and_then(|body| body.get("message")).and_then(Value::as_str);
    match expect.status {
        401 => Part::Decided,
        403 if message.is_some_and(|text| text.contains("is attempting to grant")) => {
            Part::LeftOut(ESCALATION)
        }
        // NodeRestriction, which the API server judges by the object.
        403 if message.is_some_and(|text| text.contains("is not allowed to modify node")) => Part::PassedOn,
        403 => Part::Decided,
        400 if message.is_some_and(|text| text.contains("without impersonating a user")) => Part::Decided,
        _ => Part::PassedOn,
    }
}

/// One server of the recording.
struct Instance {
    fixture: Fixture,
    certificates: HashMap<&'static str, Certified>,
    tokens: HashMap<&'static str, String>,
    /// What the player answers to lines that pass.
    recorded: Arc<Mutex<Option<Reply>>>,
}

impl Instance {
    fn start(setup: &Value, bootstrap: &Value, anonymous: bool) -> Result<Self, String> {
        let recorded = Arc::new(Mutex::new(None::<Reply>));
        let objects = setup.get("setupObjects").and_then(Value::as_array).ok_or("no setupObjects")?;
        let pods: Vec<Value> = objects.iter().filter_map(pod).collect();
        let upstream = Upstream::start({
            let recorded = recorded.clone();
            move |request| answer(request, &recorded, &pods)
        });
        let mut items = bootstrap.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        items.extend(objects.iter().filter_map(rbac_object));
        let world = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        let keys = testkit::Folder::new();
        let pki = lab::environment::Pki::open(keys.path(), Timestamp::now()).map_err(|e| e.to_string())?;
        let signer = SigningKey::load(&pki).map_err(|e| e.to_string())?;
        let csv = setup.pointer("/files/tokens.csv").and_then(Value::as_str).ok_or("no tokens.csv")?;
        let fixture = Fixture::start(upstream, &world, |options, folder| {
            options.token_auth_file = Some(folder.write("tokens.csv", csv));
            options.anonymous_auth = anonymous;
            options.authorization_mode = Some(vec!["Node".to_owned(), "RBAC".to_owned()]);
            options.service_account_key_file = vec![pki.path("sa.pub")];
            options.service_account_issuer = vec![ISSUER.to_owned()];
        })?;
        let client = |common_name, organizations: &[&str], for_servers| {
            fixture.authority.client(&Spec { common_name, organizations, for_servers, ..Spec::default() })
        };
        let stranger = Authority::new("some-other-ca");
        let certificates = HashMap::from([
            ("admin", client(Some("admin"), &["system:masters"], false)),
            ("alice", client(Some("alice"), &["dev"], false)),
            ("carol", client(Some("carol"), &["dev"], false)),
            ("bob", client(Some("bob"), &[], false)),
            ("dave", client(Some("dave"), &[], false)),
            ("node1", client(Some("system:node:node1"), &["system:nodes"], false)),
            ("imp", client(Some("imp"), &["impersonators"], false)),
            ("nobodycn", client(None, &["dev"], false)),
            ("srveku", client(Some("bob"), &[], true)),
            (
                "rogue",
                stranger.client(&Spec {
                    common_name: Some("rogue"),
                    organizations: &["system:masters"],
                    ..Spec::default()
                }),
            ),
        ]);
        let token = |audience: &str| {
            let (namespace, name, uid) = ROBOT;
            let service_account = Named { name: name.to_owned(), uid: uid.to_owned() };
            let bound = BoundTo {
                namespace: namespace.to_owned(),
                node: None,
                pod: None,
                secret: None,
                service_account,
            };
            let claims = TokenClaims::new(ISSUER, vec![audience.to_owned()], bound, Timestamp::now(), 3600);
            signer.sign(&claims).map(|token| token.expose().to_owned()).map_err(|e| e.to_string())
        };
        let garbage = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMifQ.AAAA";
        let tokens = HashMap::from([
            ("robot", token(ISSUER)?),
            ("robot-vault", token("vault")?),
            ("garbage", garbage.to_owned()),
        ]);
        Ok(Self { fixture, certificates, tokens, recorded })
    }

    fn check(
        &self,
        case: &Case,
        given: &Given,
        expect: &Expect,
        is_decided: bool,
        flip: &mut Flip,
    ) -> Outcome {
        let mut headers =
            vec![("Host".into(), "gateway.example".into()), ("User-Agent".into(), "vectors/1".into())];
        headers.extend(given.headers.iter().cloned());
        let mut certificate = None;
        match given.credential.split_once(':') {
            None => {}
            Some(("cert", name)) => {
                certificate =
                    Some(self.certificates.get(name).ok_or_else(|| format!("no certificate {name}"))?);
            }
            Some(("token", token)) => headers.push(("Authorization".into(), format!("Bearer {token}"))),
            Some(("sa", name)) => {
                let token = self.tokens.get(name).ok_or_else(|| format!("no token {name}"))?;
                headers.push(("Authorization".into(), format!("Bearer {token}")));
            }
            Some((kind, _)) => return Err(format!("unknown kind of credential `{kind}`")),
        }
        let body = match given.body_base64.is_empty() {
            true => given.body_text.clone().into_bytes(),
            false => STANDARD.decode(&given.body_base64).map_err(|e| e.to_string())?,
        };
        if !body.is_empty() || !matches!(given.method.as_str(), "GET" | "HEAD") {
            headers.push(("Content-Length".into(), body.len().to_string()));
        }
        *self.recorded.lock() = (!is_decided).then(|| recorded_answer(expect, &case.id));
        let request = [head(&given.method, &given.path, &headers), body].concat();
        let mut response = self.fixture.send(certificate, &request)?;
        if !is_decided {
            let marker = response.message.header("x-player");
            let seen = self.fixture.upstream.take();
            if let Some(info) = expect.body.as_ref().and_then(|body| body.pointer("/status/userInfo"))
                && given.headers.iter().any(|(name, value)| is_impersonate_user(name) && !value.is_empty())
                && seen.iter().map(told).next_back().as_ref() != Some(info)
            {
                return Err(format!(
                    "the upstream was told {:?}, not {info}",
                    seen.iter().map(told).next_back()
                ));
            }
            return match (response.status == expect.status, marker == Some(case.id.as_str())) {
                (true, true) => Ok(()),
                (_, true) => Err(format!("came back as {}, was {}", response.status, expect.status)),
                (_, false) => Err(format!("answered {} by the gate: {}", response.status, response.text())),
            };
        }
        response = flip.decision(response, |mut response| {
            response.status = 200;
            response
        });
        compare(&response, expect, given.method == "HEAD")
    }
}

fn is_impersonate_user(name: &str) -> bool {
    name.eq_ignore_ascii_case("impersonate-user")
}

/// The player: what the gate asks of its own accord is answered; a client's line gets the recorded
/// answer, or `418 reached` where a layer should have answered.
fn answer(request: &Message, recorded: &Mutex<Option<Reply>>, pods: &[Value]) -> Reply {
    if request.header("impersonate-user").is_none()
        && let Some((path, query)) = request.line.split(' ').nth(1).and_then(|target| target.split_once('?'))
    {
        // What the Node authorizer is kept up to date by.
        if query.contains("watch=true") {
            // Nothing changes.
            loop {
                thread::park();
            }
        }
        let items = if path == "/api/v1/pods" { pods } else { &[] };
        return Reply::json(
            200,
            &json!({ "metadata": { "resourceVersion": "1" }, "items": items }).to_string(),
        );
    }
    let (namespace, name, uid) = ROBOT;
    let lookup = format!("GET /api/v1/namespaces/{namespace}/serviceaccounts/{name} ");
    if request.line.starts_with(&lookup) && request.header("impersonate-user").is_none() {
        let object = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": name, "namespace": namespace, "uid": uid },
        });
        return Reply::json(200, &object.to_string());
    }
    recorded.lock().clone().unwrap_or_else(|| Reply::json(418, "reached"))
}

fn recorded_answer(expect: &Expect, id: &str) -> Reply {
    let body = match (&expect.body, &expect.body_text) {
        (Some(body), _) => body.to_string(),
        (None, Some(text)) => text.clone(),
        (None, None) => String::new(),
    };
    let bodiless = matches!(expect.status, 204 | 304);
    let length = if bodiless { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {} Recorded\r\nx-player: {id}\r\n{length}\r\n", expect.status);
    Reply::Bytes([head.into_bytes(), if bodiless { Vec::new() } else { body.into_bytes() }].concat())
}

/// An object of the recording, if it is a pod; where it is says in which namespace.
fn pod(entry: &Value) -> Option<Value> {
    let path = entry.get("path")?.as_str()?;
    let namespace = path.strip_prefix("/api/v1/namespaces/")?.strip_suffix("/pods")?;
    let mut pod = entry.get("object")?.clone();
    pod.get_mut("metadata")?.as_object_mut()?.insert("namespace".to_owned(), namespace.into());
    Some(pod)
}

/// An object of the recording, if it is about RBAC.
fn rbac_object(entry: &Value) -> Option<Value> {
    let path = entry.get("path")?.as_str()?;
    let mut object = entry.get("object")?.clone();
    if !path.contains("/rbac.authorization.k8s.io/") {
        return None;
    }
    if let Some((_, rest)) = path.split_once("/namespaces/") {
        let namespace = rest.split('/').next()?;
        object.get_mut("metadata")?.as_object_mut()?.insert("namespace".to_owned(), namespace.into());
    }
    Some(object)
}

/// Headers that must be equal; where kube-apiserver sends one of them, so do we, and only then.
const COMPARED: &[&str] = &[
    "cache-control",
    "content-type",
    "retry-after",
    "warning",
    "www-authenticate",
    "x-content-type-options",
];

fn compare(response: &Response, expect: &Expect, head_only: bool) -> Outcome {
    if response.status != expect.status {
        return Err(format!("answered {} {}, expected {}", response.status, response.text(), expect.status));
    }
    for name in COMPARED {
        let found: Vec<&str> = response.message.header_values(name).collect();
        let expected: Vec<&str> =
            expect.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect();
        if found != expected {
            return Err(format!("{name}: {found:?}, expected {expected:?}"));
        }
    }
    for name in ["audit-id", "content-length"] {
        let expected = expect.headers.iter().any(|(n, _)| n == name);
        if response.message.header(name).is_some() != expected {
            return Err(format!("{name}: present {}, expected {expected}", !expected));
        }
    }
    if head_only {
        return Ok(());
    }
    if let Some(expected) = &expect.body {
        let found: Value =
            serde_json::from_slice(&response.message.body).map_err(|e| format!("body: {e}"))?;
        if found != *expected {
            return Err(format!("body {found}, expected {expected}"));
        }
    } else if let Some(expected) = &expect.body_text {
        if response.text() != *expected {
            return Err(format!("body {:?}, expected {expected:?}", response.text()));
        }
    } else if let Some(note) = &expect.body_note
        && (!note.starts_with("protobuf") || !response.message.body.starts_with(b"k8s\0"))
    {
        return Err(format!("body {:?}, expected {note}", response.text()));
    }
    Ok(())
}
