//! `cargo test -p e2e --test matrix`: what each client does through the gate, over what.
//!
//! The programs are in `e2e/clients`. For every cell of the table a program is run once, asked to use
//! a transport, and has to succeed; which transport it really was is read from the gate's counters, and
//! that the request was what it should be from the gate's audit log.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use e2e::{Bench, Binary, Missing, find, require, until};
use serde_json::Value;

/// A client, what it cannot do, and why.
type Excuse = (&'static str, Transport, &'static str);

/// What clients cannot do. Such a cell is run too: it has to work over another transport, and
/// fails here once the client does what it was asked. The list can only become shorter.
static CANNOT: [Excuse; 5] = [
    (OLDEST, Transport::WebSocket, "kubectl before 1.29 does exec over SPDY only"),
    (PYTHON, Transport::Http2, "urllib3, which it rests on, speaks HTTP/1.1 only"),
    (PYTHON, Transport::Spdy, "it does exec over WebSocket only"),
    (NODE, Transport::Spdy, "it does exec over WebSocket only"),
    (KUBE_RS, Transport::Spdy, "it does exec over WebSocket only"),
];

/// A program that hangs is a failure. One that a busy machine has to read from its disk first is none:
/// beside compilers Node.js has taken 26 s to come as far as a connection, and its request 80 ms.
const PATIENCE_SECONDS: &str = "240";

const CURRENT: &str = "kubectl";
const OLDEST: &str = "oldest kubectl";
const PYTHON: &str = "Python kubernetes";
const NODE: &str = "@kubernetes/client-node";
const KUBE_RS: &str = "kube-rs";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Http1,
    Http2,
    WebSocket,
    Spdy,
}

impl Transport {
    const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::WebSocket => "WebSocket",
            Self::Spdy => "SPDY",
        }
    }

    /// The counter that goes up when it is used.
    const fn counter(self) -> &'static str {
        match self {
            Self::Http1 => "portcullis_connections_total{protocol=\"h1\"}",
            Self::Http2 => "portcullis_connections_total{protocol=\"h2\"}",
            Self::WebSocket => "portcullis_upgrades_total{protocol=\"websocket\"}",
            Self::Spdy => "portcullis_upgrades_total{protocol=\"spdy\"}",
        }
    }

    /// What it is told apart from.
    const fn kin(self) -> [Self; 2] {
        match self {
            Self::Http1 | Self::Http2 => [Self::Http1, Self::Http2],
            Self::WebSocket | Self::Spdy => [Self::WebSocket, Self::Spdy],
        }
    }
}

/// What a program is asked for, and what the audit log has to say of it.
struct Operation {
    word: &'static str,
    /// For exec; all others go over the HTTP version of their row.
    over: Option<Transport>,
    resource: &'static str,
    subresource: &'static str,
    verbs: &'static [&'static str],
    code: u64,
}

impl Operation {
    const fn on_maps(word: &'static str, verbs: &'static [&'static str], code: u64) -> Self {
        Self { word, over: None, resource: "configmaps", subresource: "", verbs, code }
    }

    const fn exec(over: Transport) -> Self {
        // UPSTREAM: WebSocket is a GET, SPDY a POST (kube-apiserver 1.36)
        let verbs = &["get", "create"];
        Self { word: "exec", over: Some(over), resource: "pods", subresource: "exec", verbs, code: 101 }
    }

    fn title(&self) -> String {
        self.over.map_or(self.word.to_owned(), |over| format!("{}/{}", self.word, over.name()))
    }
}

/// In this order: each needs what those before it have left.
const OPERATIONS: [Operation; 8] = [
    Operation::on_maps("create", &["create"], 201),
    Operation::on_maps("list", &["list"], 200),
    Operation::on_maps("watch", &["watch"], 200),
    Operation::on_maps("patch", &["patch"], 200),
    Operation { word: "logs", over: None, resource: "pods", subresource: "log", verbs: &["get"], code: 200 },
    Operation::exec(Transport::WebSocket),
    Operation::exec(Transport::Spdy),
    Operation::on_maps("delete", &["delete"], 200),
];

/// A client that was found.
struct Client {
    name: &'static str,
    version: String,
    program: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    /// What `kubectl` is where it runs.
    kubectl: PathBuf,
    /// A folder in which the program has to lie to find its libraries.
    modules: Option<PathBuf>,
}

fn main() -> ExitCode {
    let only: Vec<String> = env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    match run(&only) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            println!("{failed} failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(only: &[String]) -> Result<usize, String> {
    let mut failed = 0;
    let mut clients = Vec::new();
    for (name, found) in [
        (CURRENT, kubectl(CURRENT, "PORTCULLIS_KUBECTL", Some("kubectl"))),
        (OLDEST, kubectl(OLDEST, "PORTCULLIS_KUBECTL_OLDEST", None)),
        (PYTHON, python()),
        (NODE, node()),
        (KUBE_RS, Ok(kube_rs())),
    ] {
        if !only.is_empty() && !only.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        match found {
            Ok(client) => clients.push(client),
            Err(missing) => {
                println!("{name}: {missing}");
                failed += usize::from(require());
            }
        }
    }
    let binary = Binary::build()?;
    let rows: Vec<Row> = thread::scope(|scope| {
        let running: Vec<_> = clients.iter().map(|client| scope.spawn(|| play(&binary, client))).collect();
        let joined = running.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("a panic".to_owned())));
        joined.collect::<Result<Vec<_>, String>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    print(&rows);
    for row in &rows {
        for (operation, cell) in OPERATIONS.iter().zip(&row.cells) {
            if let Cell::Failed(why) = cell {
                failed += 1;
                println!("\n{} {} over {}: FAILED\n{why}", row.client, operation.title(), row.http.name());
            }
        }
        if let Err(why) = &row.left_behind {
            failed += 1;
            println!("\n{} over {}: FAILED\n{why}", row.client, row.http.name());
        }
    }
    Ok(failed)
}

/// One client over one version of HTTP.
struct Row {
    client: String,
    http: Transport,
    cells: Vec<Cell>,
    left_behind: Result<(), String>,
}

enum Cell {
    Good,
    /// It worked, over something else.
    Cannot(&'static Excuse),
    Failed(String),
}

fn play(binary: &Binary, client: &Client) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for http in [Transport::Http2, Transport::Http1] {
        let bench = Bench::start(binary, &client.kubectl)?;
        let program = install(&bench, client)?;
        let before = bench.metrics()?.open();
        let cells = OPERATIONS.iter().map(|operation| {
            let wanted = operation.over.unwrap_or(http);
            match measure(&bench, client, &program, http, operation, wanted) {
                Ok(used) => judge(client.name, wanted, used),
                Err(why) => Cell::Failed(why),
            }
        });
        let cells = cells.collect();
        let left_behind = until(Duration::from_secs(10), || {
            let after = bench.metrics()?.open();
            let same = (after.connections, after.streams) == (before.connections, before.streams);
            if same { Ok(()) } else { Err(format!("before: {before:?}, afterwards: {after:?}")) }
        });
        rows.push(Row {
            client: format!("{} {}", client.name, client.version),
            http,
            cells,
            left_behind: left_behind.map(|((), _)| ()),
        });
    }
    Ok(rows)
}

fn judge(client: &str, wanted: Transport, used: Transport) -> Cell {
    let excuse = CANNOT.iter().find(|(name, what, _)| (*name, *what) == (client, wanted));
    match (used == wanted, excuse) {
        (true, None) => Cell::Good,
        (false, Some(excuse)) => Cell::Cannot(excuse),
        (true, Some(_)) => Cell::Failed(format!("it can do {}: strike it from the list", wanted.name())),
        (false, None) => Cell::Failed(format!("asked for {}, it used {}", wanted.name(), used.name())),
    }
}

/// Has a program do one thing, and finds out over what it did.
fn measure(
    bench: &Bench,
    client: &Client,
    program: &[OsString],
    http: Transport,
    operation: &Operation,
    wanted: Transport,
) -> Result<Transport, String> {
    let before = bench.metrics()?;
    let on_record = fs::read(bench.audit_log()).map_or(0, |log| log.len());
    let output = bench
        .command("timeout")
        .arg(PATIENCE_SECONDS)
        .args(program)
        .arg(operation.word)
        .envs(client.environment.iter().map(|(name, value)| (*name, value)))
        .env("HTTP_VERSION", if http == Transport::Http2 { "2" } else { "1.1" })
        .env("EXEC_OVER", if operation.over == Some(Transport::Spdy) { "spdy" } else { "websocket" })
        .output()
        .map_err(|e| format!("timeout: {e}"))?;
    if output.status.code() == Some(124) {
        return Err(format!("no end within {PATIENCE_SECONDS} s"));
    }
    if !output.status.success() {
        return Err(format!(
            "{}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    until(Duration::from_secs(10), || is_on_record(&bench.audit_log(), on_record, operation))?;
    let after = bench.metrics()?;
    let went_up = |transport: &Transport| after.get(transport.counter()) > before.get(transport.counter());
    match wanted.kin().iter().filter(|transport| went_up(transport)).collect::<Vec<_>>()[..] {
        [used] => Ok(*used),
        ref used => Err(format!("it used {used:?}")),
    }
}

/// Whether the audit log, from `position` on, tells of a request of this kind and its code.
fn is_on_record(log: &Path, position: usize, operation: &Operation) -> Result<(), String> {
    let log = fs::read(log).map_err(|e| e.to_string())?;
    let news = log.get(position..).unwrap_or_default();
    let events = news.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let events: Vec<Value> = events.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let text = |event: &Value, pointer: &str| {
        event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let is_it = |event: &&Value| {
        operation.verbs.contains(&text(event, "/verb").as_str())
            && text(event, "/objectRef/resource") == operation.resource
            && text(event, "/objectRef/subresource") == operation.subresource
            && event.pointer("/responseStatus/code").and_then(Value::as_u64) == Some(operation.code)
    };
    match events.iter().find(is_it) {
        Some(_) => Ok(()),
        None => Err(format!("{} events on record, none of {}", events.len(), operation.title())),
    }
}

fn print(rows: &[Row]) {
    let widest = rows.iter().map(|row| row.client.len()).max().unwrap_or_default();
    let titles: Vec<String> = OPERATIONS.iter().map(|operation| format!("{:6}", operation.title())).collect();
    println!("\n{:widest$}  HTTP      {}", "client", titles.join("  ").trim_end());
    let mut excuses: Vec<&Excuse> = Vec::new();
    for row in rows {
        let cells: Vec<String> = titles
            .iter()
            .zip(&row.cells)
            .map(|(title, cell)| {
                let shown = match cell {
                    Cell::Good => "ok".to_owned(),
                    Cell::Failed(_) => "FAILED".to_owned(),
                    Cell::Cannot(excuse) => {
                        if !excuses.contains(excuse) {
                            excuses.push(excuse);
                        }
                        let number = excuses.iter().position(|known| known == excuse).unwrap_or_default();
                        format!("- ({})", number + 1)
                    }
                };
                format!("{shown:width$}", width = title.len())
            })
            .collect();
        println!("{:widest$}  {:8}  {}", row.client, row.http.name(), cells.join("  ").trim_end());
    }
    for (number, (client, wanted, why)) in excuses.into_iter().enumerate() {
        println!("({}) no {} in {client}: {why}; what it does instead worked", number + 1, wanted.name());
    }
}

/// Puts a program where it finds its libraries.
fn install(bench: &Bench, client: &Client) -> Result<Vec<OsString>, String> {
    let (Some(modules), Some((file, interpreter))) = (&client.modules, client.program.split_last()) else {
        return Ok(client.program.clone());
    };
    let place = bench.folder().join("client.mjs");
    fs::copy(file, &place).map_err(|e| format!("{}: {e}", place.display()))?;
    symlink(modules, bench.folder().join("node_modules")).map_err(|e| format!("node_modules: {e}"))?;
    Ok(interpreter.iter().cloned().chain([place.into()]).collect())
}

fn source(name: &str) -> OsString {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name).into()
}

fn kubectl(name: &'static str, variable: &str, on_path: Option<&str>) -> Result<Client, Missing> {
    let kubectl = find(variable, on_path)?;
    let mut command = Command::new(&kubectl);
    command.args(["version", "--client"]);
    let said = says(&mut command)?;
    // 1.20 prints a Go value, later ones `Client Version: v1.37.1`.
    let version = said.split_once("GitVersion:\"").map(|(_, rest)| rest).or(said.split(": ").nth(1));
    let version = version.unwrap_or_default().trim_start_matches('v');
    let version: String = version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Ok(Client {
        name,
        version,
        program: vec![source("kubectl/client.sh")],
        environment: Vec::new(),
        kubectl,
        modules: None,
    })
}

fn python() -> Result<Client, Missing> {
    let packages = env::var_os("PORTCULLIS_PYTHON_PACKAGES");
    let packages = packages.ok_or_else(|| Missing("PORTCULLIS_PYTHON_PACKAGES names no folder".into()))?;
    let python = find("PORTCULLIS_PYTHON", Some("python3"))?;
    let mut command = Command::new(&python);
    command.args(["-c", "import kubernetes; print(kubernetes.__version__)"]).env("PYTHONPATH", &packages);
    Ok(Client {
        name: PYTHON,
        version: says(&mut command)?,
        program: vec![python.into(), source("python/client.py")],
        environment: vec![("PYTHONPATH", packages)],
        kubectl: PathBuf::from("/bin/false"),
        modules: None,
    })
}

fn node() -> Result<Client, Missing> {
    let beside = PathBuf::from(source("node/node_modules"));
    let modules = env::var_os("PORTCULLIS_NODE_MODULES").map_or(beside, PathBuf::from);
    let missing = |what: &str| Missing(format!("PORTCULLIS_NODE_MODULES has no {what}"));
    let manifest = fs::read_to_string(modules.join("@kubernetes/client-node/package.json"));
    let manifest = manifest.map_err(|_| missing("@kubernetes/client-node"))?;
    let manifest: Value = serde_json::from_str(&manifest).map_err(|e| Missing(e.to_string()))?;
    let node = Some(modules.join(".bin/node")).filter(|node| node.exists()).ok_or_else(|| missing("node"))?;
    Ok(Client {
        name: NODE,
        version: manifest.get("version").and_then(Value::as_str).unwrap_or_default().to_owned(),
        program: vec![node.into(), source("node/client.mjs")],
        environment: Vec::new(),
        kubectl: PathBuf::from("/bin/false"),
        modules: Some(modules),
    })
}

fn kube_rs() -> Client {
    let lock = include_str!("../../Cargo.lock");
    let version = lock.split_once("name = \"kube\"\nversion = \"").map_or("", |(_, rest)| rest);
    Client {
        name: KUBE_RS,
        version: version.chars().take_while(|c| *c != '"').collect(),
        program: vec![env!("CARGO_BIN_EXE_kube-rs-client").into()],
        environment: Vec::new(),
        kubectl: PathBuf::from("/bin/false"),
        modules: None,
    }
}

/// The first line that a program prints.
fn says(command: &mut Command) -> Result<String, Missing> {
    let output = command.output().map_err(|e| Missing(e.to_string()))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Missing(errors.lines().last().unwrap_or_default().to_owned()));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().next().unwrap_or_default().to_owned())
}
