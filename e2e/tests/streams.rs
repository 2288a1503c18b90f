//! `cargo test -p e2e --test streams`: what lasts, through a gate in a process of its own.
//!
//! Streams that are idle, streams of a gigabyte, streams that end at either side; and that nothing of
//! them is left behind. `PORTCULLIS_IDLE_SECONDS` and `PORTCULLIS_STREAM_MIB` say how long and how
//! much; CI takes 300 and 1024.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use e2e::{Bench, Binary, Gate, Missing, find, require, until};

/// Within this, the end of one side is the end of the other.
const AT_ONCE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// How much more memory than before a stream may take, however long it is.
const MEMORY_KIB: u64 = 16 * 1024;

/// How kubectl is told which transport to take.
const TRANSPORTS: [(&str, &str); 2] = [("WebSocket", "true"), ("SPDY", "false")];

struct Programs {
    kubectl: PathBuf,
    oldest: Result<PathBuf, Missing>,
    /// The packages.
    python: Result<OsString, Missing>,
}

fn main() -> ExitCode {
    let python = env::var_os("PORTCULLIS_PYTHON_PACKAGES");
    let python = python.ok_or_else(|| Missing("PORTCULLIS_PYTHON_PACKAGES names no folder".into()));
    let oldest = find("PORTCULLIS_KUBECTL_OLDEST", None);
    let mut failed = 0;
    let missing = [oldest.as_ref().err(), python.as_ref().err()];
    for missing in missing.into_iter().flatten() {
        println!("streams: {missing}");
        failed += usize::from(require());
    }
    match find("PORTCULLIS_KUBECTL", Some("kubectl")) {
        Err(missing) => {
            println!("streams: {missing}");
            failed += usize::from(require());
        }
        Ok(kubectl) => {
            for outcome in run(&Programs { kubectl, oldest, python }) {
                match outcome {
                    Ok(report) => println!("{report}"),
                    Err(error) => {
                        failed += 1;
                        println!("FAILED: {error}");
                    }
                }
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Report = Result<String, String>;

fn run(programs: &Programs) -> Vec<Report> {
    let binary = match Binary::build() {
        Ok(binary) => binary,
        Err(error) => return vec![Err(error)],
    };
    thread::scope(|scope| {
        let idle = scope.spawn(|| idle(&binary, programs));
        let others = scope.spawn(|| {
            let mut reports = vec![upstream_fails(&binary, programs)];
            reports.extend(one_gate(&binary, programs).unwrap_or_else(|error| vec![Err(error)]));
            reports
        });
        [others.join(), idle.join()]
            .into_iter()
            .flat_map(|joined| joined.unwrap_or_else(|_| vec![Err("a panic".to_owned())]))
            .collect()
    })
}

fn number(variable: &str, default: u64) -> Result<u64, String> {
    match env::var(variable) {
        Err(_) => Ok(default),
        Ok(text) => text.parse().map_err(|_| format!("{variable}: `{text}` is no number")),
    }
}

/// What is done one after the other with one gate, so that what is left behind can be counted.
fn one_gate(binary: &Binary, programs: &Programs) -> Result<Vec<Report>, String> {
    let bench = Bench::start(binary, &programs.kubectl)?;
    let gate = Gate::start(binary, &bench)?;
    let mut reports = Vec::new();
    // Each of the gate's threads keeps a connection to the API server: as many as there will be.
    for _ in 0..20 {
        good(&gate.command("kubectl").args(["get", "--raw", "/version"]).output().map_err(text)?)?;
    }
    good(&exec(&gate, "true", &["true"]).output().map_err(text)?)?;
    let (before, _) = until(PATIENCE, || {
        let held = gate.held()?;
        if held.open.connections == 0 { Ok(held) } else { Err(format!("{held:?}")) }
    })?;
    for (transport, switch) in TRANSPORTS {
        reports.push(client_is_killed(&gate, transport, switch));
        reports.push(program_ends(&gate, transport, switch));
        reports.push(ports_end(&gate, transport, switch));
    }
    for (transport, switch) in TRANSPORTS {
        reports.push(out(&gate, transport, switch));
        reports.push(inward(&gate, transport, switch));
    }
    let left = until(PATIENCE, || {
        let now = gate.held()?;
        if now.is_within(&before) { Ok(now) } else { Err(format!("before {before:?}, afterwards {now:?}")) }
    });
    reports.push(left.map(|(now, _)| {
        format!(
            "nothing left behind: {} descriptors and {} tasks before, {} and {} afterwards; no open \
                 connection, no open stream",
            before.descriptors, before.open.tasks, now.descriptors, now.open.tasks
        )
    }));
    Ok(reports)
}

#[expect(clippy::needless_pass_by_value, reason = "errors come by value")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

fn good(output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// `kubectl exec -i web -- …`
fn exec(gate: &Gate<'_>, switch: &str, words: &[&str]) -> Command {
    let mut command = gate.command("kubectl");
    command.args(["exec", "-i", "web", "--"]).args(words).env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", switch);
    command
}

/// A client that runs; killed when it is dropped.
struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(text)?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        Ok(Self { process, input, output })
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("it ended".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn says(&mut self, expected: &str) -> Result<(), String> {
        let line = self.line()?;
        if line == expected { Ok(()) } else { Err(format!("expected `{expected}`, found `{line}`")) }
    }

    fn write(&mut self, line: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("no input")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(text)
    }

    /// Waits for its end, and says how long it took from now.
    fn ends(&mut self) -> Result<Duration, String> {
        let ended = until(PATIENCE, || match self.process.try_wait().map_err(text)? {
            Some(_) => Ok(()),
            None => Err("the client still runs".to_owned()),
        });
        ended.map(|((), took)| took)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How long it took until a gate holds on to no more than before.
fn freed(gate: &Gate<'_>, descriptors: usize) -> Result<Duration, String> {
    let freed = until(PATIENCE, || {
        let held = gate.held()?;
        let free = held.descriptors <= descriptors && held.open.streams == 0;
        if free { Ok(()) } else { Err(format!("{descriptors} descriptors before, now {held:?}")) }
    });
    freed.map(|((), took)| took)
}

fn at_once(what: &str, took: Duration) -> Report {
    if took > AT_ONCE {
        return Err(format!("{what}: only after {took:?}"));
    }
    Ok(format!("{what}: after {} ms", took.as_millis()))
}

fn client_is_killed(gate: &Gate<'_>, transport: &str, switch: &str) -> Report {
    let before = gate.held()?.descriptors;
    let mut running = Running::start(&mut exec(gate, switch, &["sh", "-c", "echo up; sleep 100000"]))?;
    running.says("up")?;
    drop(running);
    // Both the client's connection and the one to the API server.
    at_once(&format!("client killed, exec over {transport}: all closed"), freed(gate, before)?)
}

fn program_ends(gate: &Gate<'_>, transport: &str, switch: &str) -> Report {
    let before = gate.held()?.descriptors;
    // Its input stays open: it is the program that ends.
    let mut running = Running::start(&mut exec(gate, switch, &["sh", "-c", "echo up; head -n 1"]))?;
    running.says("up")?;
    running.write("last")?;
    running.says("last")?;
    let client = running.ends()?;
    let both = client.max(freed(gate, before)?);
    at_once(&format!("program ended, exec over {transport}: client ended, all closed"), both)
}

fn port_forward(gate: &Gate<'_>, switch: &str) -> Result<(Running, TcpStream), String> {
    let mut command = gate.command("kubectl");
    command.args(["port-forward", "pod/web", ":80"]).env("KUBECTL_PORT_FORWARD_WEBSOCKETS", switch);
    let mut forwarding = Running::start(&mut command)?;
    let said = forwarding.line()?;
    let port = said.split_once("127.0.0.1:").map(|(_, rest)| rest.split(' ').next().unwrap_or_default());
    let port = port.ok_or_else(|| format!("no port in `{said}`"))?;
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    Ok((forwarding, stream))
}

fn ports_end(gate: &Gate<'_>, transport: &str, switch: &str) -> Report {
    let before = gate.held()?.descriptors;
    let (forwarding, mut stream) = port_forward(gate, switch)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").map_err(text)?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).map_err(text)?;
    drop(forwarding);
    at_once(&format!("client killed, port-forward over {transport}: all closed"), freed(gate, before)?)
}

/// The API server's machine fails.
fn upstream_fails(binary: &Binary, programs: &Programs) -> Report {
    let bench = Bench::start(binary, &programs.kubectl)?;
    let gate = Gate::start(binary, &bench)?;
    let mut running = Vec::new();
    for (_, switch) in TRANSPORTS {
        let mut one = Running::start(&mut exec(&gate, switch, &["sh", "-c", "echo up; cat"]))?;
        one.says("up")?;
        running.push(one);
    }
    bench.kill();
    let began = Instant::now();
    for one in &mut running {
        one.ends()?;
    }
    at_once("upstream failed, exec over WebSocket and SPDY: clients ended", began.elapsed())
}

fn mib() -> Result<u64, String> {
    number("PORTCULLIS_STREAM_MIB", 64)
}

/// Has a client move that much, and says what the gate needed for it.
fn moved(gate: &Gate<'_>, what: &str, mib: u64, client: impl FnOnce() -> Result<u64, String>) -> Report {
    gate.forget_peak()?;
    let before = gate.peak()?;
    let began = Instant::now();
    let bytes = client()?;
    let took = began.elapsed();
    let peak = gate.peak()?;
    if bytes != mib << 20 {
        return Err(format!("{what}: {bytes} bytes instead of {mib} MiB"));
    }
    let kib = |kib: u64| format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024);
    let report = format!(
        "{mib} MiB {what}: {:.1} s, resident memory of the gate {} before, {} at most",
        took.as_secs_f64(),
        kib(before),
        kib(peak)
    );
    if peak > before + MEMORY_KIB { Err(report) } else { Ok(report) }
}

fn out(gate: &Gate<'_>, transport: &str, switch: &str) -> Report {
    let mib = mib()?;
    moved(gate, &format!("out of a pod over {transport}"), mib, || {
        let mut running =
            Running::start(&mut exec(gate, switch, &["head", "-c", &format!("{mib}M"), "/dev/zero"]))?;
        std::io::copy(&mut running.output, &mut std::io::sink()).map_err(text)
    })
}

fn inward(gate: &Gate<'_>, transport: &str, switch: &str) -> Report {
    let mib = mib()?;
    moved(gate, &format!("into a pod over {transport}"), mib, || {
        let mut running = Running::start(&mut exec(gate, switch, &["wc", "-c"]))?;
        let mut input = running.input.take().ok_or("no input")?;
        std::io::copy(&mut std::io::repeat(0).take(mib << 20), &mut input).map_err(text)?;
        drop(input);
        running.line()?.trim().parse().map_err(text)
    })
}

/// All kinds of streams, idle at the same time.
fn idle(binary: &Binary, programs: &Programs) -> Vec<Report> {
    let outcome = || {
        let seconds = number("PORTCULLIS_IDLE_SECONDS", 3)?;
        let bench = Bench::start(binary, &programs.kubectl)?;
        let gate = Gate::start(binary, &bench)?;
        Ok::<_, String>(idle_through(&gate, programs, Duration::from_secs(seconds)))
    };
    outcome().unwrap_or_else(|error| vec![Err(error)])
}

fn idle_through(gate: &Gate<'_>, programs: &Programs, time: Duration) -> Vec<Report> {
    let streams = |open: u64| {
        move || match gate.metrics()?.open().streams {
            found if found >= open => Ok(()),
            found => Err(format!("{found} streams are open, not {open}")),
        }
    };
    let echo = |command: &mut Command| {
        let mut running = Running::start(command)?;
        running.write("first")?;
        running.says("first")?;
        thread::sleep(time);
        running.write("second")?;
        running.says("second")
    };
    let ports = |switch: &str| {
        let (_forwarding, mut stream) = port_forward(gate, switch)?;
        stream.write_all(b"GET / HTTP/1.1\r\n").map_err(text)?;
        thread::sleep(time);
        stream.write_all(b"Host: a\r\n\r\n").map_err(text)?;
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).map_err(text)?;
        if &answer == b"HTTP/1.1 200 OK" {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&answer).into_owned())
        }
    };
    // Something happens in the end, for those who only listen.
    let listen = |mut command: Command, news: &str, make: &[&str], expected: &str| {
        let mut running = Running::start(&mut command)?;
        running.line()?;
        thread::sleep(time);
        good(&gate.command("kubectl").args(make).output().map_err(text)?)?;
        until(PATIENCE, || running.says(expected)).map_err(|error| format!("{news}: {error}"))?;
        Ok(())
    };
    let client = |mut command: Command| {
        command.arg("idle").env("IDLE_SECONDS", time.as_secs().to_string());
        good(&command.output().map_err(text)?)
    };
    let watch = |name: &str, http1: bool| {
        let mut command = gate.command("kubectl");
        command.args(["get", "configmaps", "--watch", "-o", "name"]);
        if http1 {
            command.env("DISABLE_HTTP2", "1");
        }
        let make = ["create", "-n", "default", "configmap", name];
        listen(command, "watch", &make, &format!("configmap/{name}"))
    };
    let logs = || {
        let mut command = gate.command("kubectl");
        command.args(["logs", "-f", "web", "--tail=1"]);
        let make = ["exec", "web", "--", "sh", "-c", "echo news >/proc/1/fd/1"];
        listen(command, "logs", &make, "news")
    };
    type Idle<'a> = Box<dyn FnOnce() -> Result<(), String> + Send + 'a>;
    let oldest = |kubectl: &Path| {
        let mut command = gate.command(kubectl);
        command.args(["exec", "-i", "web", "--", "cat"]);
        command
    };
    let mut all: Vec<(&str, Idle<'_>)> = vec![
        ("exec over WebSocket, kubectl", Box::new(|| echo(&mut exec(gate, "true", &["cat"])))),
        ("exec over SPDY, kubectl", Box::new(|| echo(&mut exec(gate, "false", &["cat"])))),
        ("port-forward over WebSocket, kubectl", Box::new(|| ports("true"))),
        ("port-forward over SPDY, kubectl", Box::new(|| ports("false"))),
        ("watch over HTTP/2, kubectl", Box::new(|| watch("over-http2", false))),
        ("watch over HTTP/1.1, kubectl", Box::new(|| watch("over-http1", true))),
        ("logs -f, kubectl", Box::new(logs)),
        (
            "exec over WebSocket, kube-rs",
            Box::new(|| client(gate.command(env!("CARGO_BIN_EXE_kube-rs-client")))),
        ),
    ];
    if let Ok(kubectl) = &programs.oldest {
        all.push(("exec over SPDY, oldest kubectl", Box::new(|| echo(&mut oldest(kubectl)))));
    }
    if let Ok(packages) = &programs.python {
        let mut command = gate.command(env::var_os("PORTCULLIS_PYTHON").unwrap_or("python3".into()));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/client.py"));
        command.env("PYTHONPATH", packages);
        all.push(("exec over WebSocket, Python", Box::new(|| client(command))));
    }
    thread::scope(|scope| {
        let count = all.len() as u64;
        let running: Vec<_> = all.into_iter().map(|(name, run)| (name, scope.spawn(run))).collect();
        let opened = until(PATIENCE, streams(count)).map(|_| format!("{count} streams open at a time"));
        let seconds = time.as_secs();
        let ended = running.into_iter().map(|(name, running)| {
            let outcome = running.join().unwrap_or_else(|_| Err("a panic".to_owned()));
            let report = outcome.map(|()| format!("idle for {seconds} s, {name}: alive"));
            report.map_err(|error| format!("idle for {seconds} s, {name}: {error}"))
        });
        [opened].into_iter().chain(ended).collect()
    })
}
