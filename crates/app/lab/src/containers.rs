//! What runs in the lab's pods: containers that exist in memory only, with files, programs of our own
//! and a log.
//!
//! Nothing of the machine is reached from in here, but for the gate through `curl`: what is typed into
//! a pod is text to a small shell ([`shell`]), not a program of the machine's.

mod commands;
mod files;
mod log;
mod main_process;
mod mounts;
mod pipe;
mod shell;
mod terminal;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use types::Timestamp;

use crate::{
    object::{self, list, number, text},
    rest::Api,
};
use files::Files;
pub(crate) use log::{Log, Piece};
pub(crate) use main_process::{has_program, run};
pub(crate) use pipe::{Chunk, Input, Output, PIECE};
pub(crate) use shell::INTERRUPTED;
use shell::{Io, Shell, Terminal};
pub(crate) use terminal::Size;

/// Where containers find the API server, beside its names: the address of the service `kubernetes`.
const SERVICE_ADDRESS: &str = "10.96.0.1";

/// The exit status of a program that was killed with its pod.
const KILLED: i32 = 137;

/// How long a terminal waits for its size: clients tell it on a channel of its own, which may be
/// behind what is typed, and some never do.
const SIZE_WITHIN: Duration = Duration::from_millis(200);

/// All containers that somebody has looked into.
#[derive(Default)]
pub(crate) struct Containers {
    /// By UID of the pod and name.
    known: Mutex<BTreeMap<(String, String), Arc<Container>>>,
    /// Where the gate listens.
    front: Mutex<Option<SocketAddr>>,
}

impl Containers {
    /// Says where the gate listens.
    pub(crate) fn found_front(&self, address: SocketAddr) {
        *self.front.lock() = Some(address);
    }

    /// A container of a pod; it begins when somebody first asks for it.
    pub(crate) fn of(&self, api: &Api, pod: &Value, name: &str) -> Option<Arc<Container>> {
        let key = (object::uid(pod).to_owned(), name.to_owned());
        if let Some(known) = self.known.lock().get(&key) {
            return Some(Arc::clone(known));
        }
        let spec = list(pod, "/spec/containers").iter().find(|c| text(c, "/name") == name)?;
        // Made without holding the lock: secrets and tokens are read for it.
        let made = Arc::new(Container::new(api, pod, spec, *self.front.lock()));
        Some(Arc::clone(self.known.lock().entry(key).or_insert(made)))
    }

    /// Forgets the containers of pods that are gone, and ends what goes on in them.
    fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.known.lock().retain(|(uid, _), container| {
            let stays = is_there(uid);
            if !stays {
                container.end();
            }
            stays
        });
    }
}

/// One container.
pub(crate) struct Container {
    clock: fn() -> Timestamp,
    host_name: String,
    pod: (String, String),
    folder: String,
    user: (i64, i64),
    environment: Vec<(String, String)>,
    files: Mutex<Files>,
    log: Log,
    ports: Vec<u16>,
    root_ca: String,
    api_address: Option<SocketAddr>,
    mounted_at: Mutex<Option<Timestamp>>,
    main: main_process::Main,
    /// The pod is gone.
    gone: watch::Sender<bool>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// With this status.
    Status(i32),
    /// It could not be started.
    NoSuchProgram(String),
}

/// A client's side of a program.
pub(crate) struct Client {
    pub(crate) input: Option<mpsc::Receiver<Bytes>>,
    pub(crate) output: Output,
    pub(crate) errors: Output,
    /// The terminal's size, if it is one.
    pub(crate) terminal: Option<watch::Receiver<Size>>,
}

impl Container {
    fn new(api: &Api, pod: &Value, spec: &Value, api_address: Option<SocketAddr>) -> Self {
        let now = api.now();
        let name = object::name(pod);
        let host_name = match text(pod, "/spec/hostname") {
            "" => name,
            hostname => hostname,
        };
        let id = |member: &str| {
            let own = spec.pointer(&format!("/securityContext/{member}")).and_then(Value::as_i64);
            own.unwrap_or_else(|| number(pod, &format!("/spec/securityContext/{member}")))
        };
        let ports = list(spec, "/ports").iter().map(|port| number(port, "/containerPort"));
        let container = Self {
            clock: api.clock(),
            host_name: host_name.to_owned(),
            pod: (object::namespace(pod).to_owned(), name.to_owned()),
            folder: files::resolve("", text(spec, "/workingDir")),
            user: (id("runAsUser"), id("runAsGroup")),
            environment: mounts::environment(api, pod, spec, host_name),
            files: Mutex::default(),
            log: Log::default(),
            ports: ports.filter_map(|port| u16::try_from(port).ok()).collect(),
            root_ca: api.root_ca().to_owned(),
            api_address,
            mounted_at: Mutex::default(),
            main: main_process::Main::of(spec),
            gone: watch::Sender::new(false),
        };
        mounts::mount(api, pod, spec, &mut container.files.lock(), now);
        let _: Result<_, _> = container.files.lock().make_folders(&container.folder);
        container.greet(spec, now);
        container
    }

    /// What a container that does not run a program of ours says when it starts.
    fn greet(&self, spec: &Value, now: Timestamp) {
        if self.main.words().is_some() {
            return;
        }
        let (name, image) = (text(spec, "/name"), text(spec, "/image"));
        let lines = [
            format!("{name}: started from image {image}\n"),
            format!("{name}: serving in namespace {}\n", self.pod.0),
            format!("{name}: ready\n"),
        ];
        for line in lines {
            self.log.write(now, line.into(), false);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock()
    }

    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    /// Whether something listens on a port.
    pub(crate) fn listens_on(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn folder(&self) -> &str {
        &self.folder
    }

    /// The name of the pod it is in.
    pub(crate) fn pod_name(&self) -> &str {
        &self.pod.1
    }

    fn host_name(&self) -> &str {
        &self.host_name
    }

    fn user(&self) -> (i64, i64) {
        self.user
    }

    fn root_ca(&self) -> &str {
        &self.root_ca
    }

    fn api_address(&self) -> Option<SocketAddr> {
        self.api_address
    }

    /// Ends once the pod is gone.
    pub(crate) async fn gone(&self) {
        drop(self.gone.subscribe().wait_for(|gone| *gone).await);
    }

    fn end(&self) {
        self.gone.send_replace(true);
        self.log.end();
    }

    /// Brings the mounted token up to date. Called before programs are run.
    pub(crate) fn refresh(&self, api: &Api, pod: &Value) {
        let now = api.now();
        let is_fresh = |at: Timestamp| now.duration_since(at) < mounts::TOKEN_FRESH;
        if self.mounted_at.lock().is_some_and(is_fresh) {
            return;
        }
        if mounts::mount_token(api, pod, &mut self.files.lock(), now) {
            *self.mounted_at.lock() = Some(now);
        }
    }

    /// Runs a program for a client until it ends, or the pod does.
    pub(crate) async fn exec(self: &Arc<Self>, words: &[String], client: Client) -> Exit {
        let Some(program) = words.first() else { return Exit::NoSuchProgram(String::new()) };
        if !commands::is_program(program) {
            return Exit::NoSuchProgram(program.clone());
        }
        tokio::select! {
            exit = self.program(words, client) => exit,
            () = self.gone() => Exit::Status(KILLED),
        }
    }

    async fn program(self: &Arc<Self>, words: &[String], client: Client) -> Exit {
        let Client { input, output, errors, terminal } = client;
        let Some(mut size) = terminal else {
            let io = Io { input: input.map_or_else(Input::empty, Input::from), output, errors };
            return Exit::Status(Shell::new(self, None).run(words, &io).await);
        };
        known(&mut size).await;
        let interrupts = watch::Sender::new(0);
        let terminal = Terminal { size: size.clone(), interrupts: interrupts.subscribe() };
        let (lines, typed) = mpsc::channel(16);
        let keyboard = async {
            if let Some(keys) = input {
                terminal::cook(keys, &mut size, lines, output.clone(), interrupts).await;
            } else {
                drop(lines);
            }
            std::future::pending::<()>().await;
        };
        // A terminal has one screen.
        let screen = Output::Screen(Arc::new(output.clone()));
        let io = Io { input: Input::from(typed), output: screen.clone(), errors: screen };
        let mut shell = Shell::new(self, Some(terminal));
        tokio::select! {
            status = shell.run(words, &io) => Exit::Status(status),
            () = keyboard => Exit::Status(INTERRUPTED),
        }
    }
}

/// Waits until a terminal's size is known, if it will be.
async fn known(size: &mut watch::Receiver<Size>) {
    let known = size.wait_for(|size| *size != Size::default());
    drop(tokio::time::timeout(SIZE_WITHIN, known).await);
}

#[cfg(test)]
mod tests;
