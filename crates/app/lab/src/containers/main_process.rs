//! The first program of a container: what its pod's spec says, if it is one of ours. A container of
//! any other image just serves.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{Client, Container, Exit, Output, Size, commands};
use crate::{
    controllers::{key_of, revise},
    object::{self, enter, list, number, set, text},
    rest::{Api, seconds},
};

/// UPSTREAM: the pause before a restart doubles from here up to five minutes (kubelet 1.36)
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// What is typed before the program reads it.
const TYPED_AHEAD: usize = 16;

/// What a container's first program is, and what it is connected to.
pub(super) struct Main {
    words: Option<Vec<String>>,
    terminal: bool,
    /// What is typed goes in here; `None` where the spec wants no input, or it has been closed.
    keyboard: Mutex<Option<mpsc::Sender<Bytes>>>,
    typed: Mutex<Option<mpsc::Receiver<Bytes>>>,
    /// Input ends when the first who attached leaves.
    once: bool,
    size: watch::Sender<Size>,
    attached: AtomicBool,
    /// How many times it has ended.
    ends: watch::Sender<u64>,
}

impl Main {
    pub(super) fn of(spec: &Value) -> Self {
        let flag = |member: &str| spec.get(member) == Some(&Value::Bool(true));
        let (keyboard, typed) = mpsc::channel(TYPED_AHEAD);
        let wants_input = flag("stdin");
        Self {
            words: words(spec),
            terminal: flag("tty"),
            keyboard: Mutex::new(Some(keyboard).filter(|_| wants_input)),
            typed: Mutex::new(Some(typed).filter(|_| wants_input)),
            once: flag("stdinOnce"),
            size: watch::Sender::default(),
            attached: AtomicBool::new(false),
            ends: watch::Sender::default(),
        }
    }

    /// The program and its arguments; `None` where the container just serves.
    pub(super) fn words(&self) -> Option<&[String]> {
        self.words.as_deref()
    }
}

/// Whether a container's spec names a first program that is one of ours.
pub(crate) fn has_program(spec: &Value) -> bool {
    words(spec).is_some()
}

fn words(spec: &Value) -> Option<Vec<String>> {
    let all = |member: &str| list(spec, member).iter().filter_map(|word| word.as_str().map(str::to_owned));
    let mut words: Vec<String> = all("/command").chain(all("/args")).collect();
    let is_program = |words: &[String]| words.first().is_some_and(|first| commands::is_program(first));
    let image = text(spec, "/image").rsplit('/').next().unwrap_or_default();
    if !is_program(&words) && list(spec, "/command").is_empty() && image.starts_with("curl") {
        // The image's own entry point.
        words.insert(0, "curl".into());
    }
    Some(words).filter(|words| is_program(words))
}

/// Ends the program's input when whoever attached first leaves.
struct Leaving<'a>(&'a Main);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.0.once {
            self.0.keyboard.lock().take();
        }
    }
}

impl Container {
    /// Lets a client see what the first program writes, and type for it, until it ends.
    // UPSTREAM: the exit status of the program is not told here (kubelet 1.36)
    pub(crate) async fn attach(&self, client: Client) -> Exit {
        let Client { input, output, errors, terminal } = client;
        let main = &self.main;
        // Whoever is first to attach to a program that waits for somebody misses nothing, however long
        // it took: a program of the lab's is quicker than any client.
        let is_first = input.is_some() && !main.attached.swap(true, Ordering::Relaxed);
        let mut position = if is_first { 0 } else { self.log.after(0).1 };
        let _leaving = is_first.then(|| Leaving(main));
        let keyboard = main.keyboard.lock().clone();
        let typing = async {
            if let (Some(mut typed), Some(keyboard)) = (input, keyboard) {
                while let Some(bytes) = typed.recv().await {
                    if keyboard.send(bytes).await.is_err() {
                        break;
                    }
                }
                drop(keyboard);
                if main.once {
                    main.keyboard.lock().take();
                }
            }
            std::future::pending::<()>().await;
        };
        let sizing = async {
            if let Some(mut size) = terminal {
                while size.changed().await.is_ok() {
                    main.size.send_replace(*size.borrow_and_update());
                }
            }
            std::future::pending::<()>().await;
        };
        let mut ends = main.ends.subscribe();
        let watching = async {
            let mut goes_on = true;
            while goes_on {
                goes_on = tokio::select! {
                    more = self.log.more(position) => more,
                    // It may be started again, but not for this client.
                    _ = ends.changed() => false,
                };
                let (pieces, next) = self.log.after(position);
                position = next;
                for piece in pieces {
                    let to = if piece.error { &errors } else { &output };
                    if to.write(piece.bytes).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = watching => {}
            () = typing => {}
            () = sizing => {}
        }
        Exit::Status(0)
    }

    /// Runs the first program once.
    async fn run_main(self: &Arc<Self>) -> i32 {
        let Some(words) = self.main.words() else { return std::future::pending().await };
        let input = self.main.typed.lock().take();
        let client = Client {
            input,
            output: Output::Log { container: Arc::clone(self), error: false },
            errors: Output::Log { container: Arc::clone(self), error: true },
            terminal: self.main.terminal.then(|| self.main.size.subscribe()),
        };
        let exit = self.exec(words, client).await;
        self.main.ends.send_modify(|ends| *ends += 1);
        match exit {
            Exit::Status(status) => status,
            Exit::NoSuchProgram(_) => 127,
        }
    }
}

/// Starts the first programs of pods that have been given a node, until the lab stops.
pub(crate) async fn run(api: Arc<Api>, mut stopping: watch::Receiver<bool>) {
    let mut news = api.store().subscribe();
    let mut position = None;
    let mut started = BTreeSet::new();
    let mut running = JoinSet::new();
    loop {
        let events = position.and_then(|position| api.store().events_after(position).ok());
        let (pods, gone, revision) = match events {
            Some((events, revision)) => {
                let pods = events.iter().filter(|event| &*event.key.resource == "pods");
                let gone = pods.clone().any(|event| event.deleted);
                let there = pods.filter(|event| !event.deleted).map(|event| Arc::clone(&event.object));
                (there.collect(), gone, revision)
            }
            None => {
                let (pods, revision) = api.store().list("pods", None);
                (pods, true, revision)
            }
        };
        position = Some(revision);
        if gone {
            let there: BTreeSet<String> =
                api.store().list("pods", None).0.iter().map(|pod| object::uid(pod).to_owned()).collect();
            api.containers().keep(|uid| there.contains(uid));
            started.retain(|(uid, _)| there.contains(uid));
        }
        for pod in pods.iter().filter(|pod| text(pod, "/status/phase") == "Running") {
            for spec in list(pod, "/spec/containers").iter().filter(|spec| has_program(spec)) {
                let name = text(spec, "/name").to_owned();
                if started.insert((object::uid(pod).to_owned(), name.clone())) {
                    running.spawn(serve(Arc::clone(&api), Arc::clone(pod), name));
                }
            }
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            Some(_) = running.join_next() => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Runs a container's first program, again and again if its pod wants so.
async fn serve(api: Arc<Api>, pod: Arc<Value>, name: String) {
    let Some(container) = api.containers().of(&api, &pod, &name) else { return };
    let mut pause = FIRST_PAUSE;
    loop {
        container.refresh(&api, &pod);
        let began = seconds(api.now());
        let status = tokio::select! {
            status = container.run_main() => status,
            () = container.gone() => return,
        };
        let again = match text(&pod, "/spec/restartPolicy") {
            "Never" => false,
            "OnFailure" => status != 0,
            _ => true,
        };
        let finished = seconds(api.now());
        let ended = json!({"terminated": {
            "exitCode": status, "reason": if status == 0 { "Completed" } else { "Error" },
            "startedAt": began, "finishedAt": finished, "containerID": "",
        }});
        if !again {
            container.log().end();
        }
        tell(&api, &pod, |pod| {
            let state = match again {
                true => json!({"waiting": {"reason": "CrashLoopBackOff"}}),
                false => ended.clone(),
            };
            let last = if again { ended.clone() } else { json!({}) };
            show(pod, &name, state, last, false, &finished);
        });
        if !again {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = LONGEST_PAUSE.min(pause * 2),
            () = container.gone() => return,
        }
        let now = seconds(api.now());
        tell(&api, &pod, |pod| {
            let restarts = status_of(pod, &name).map_or(0, |status| number(status, "/restartCount"));
            let last = status_of(pod, &name).and_then(|status| status.get("lastState")).cloned();
            show(pod, &name, json!({"running": {"startedAt": now}}), last.unwrap_or_default(), true, &now);
            if let Some(status) = status_of_mut(pod, &name) {
                set(status, &["restartCount"], restarts + 1);
            }
        });
    }
}

/// Changes the status of a pod, unless another has taken its name.
fn tell(api: &Api, pod: &Value, change: impl FnOnce(&mut Value)) {
    let uid = object::uid(pod);
    revise(api, &key_of("pods", pod), |pod| {
        if object::uid(pod) == uid {
            change(pod);
        }
    });
}

fn status_of<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    list(pod, "/status/containerStatuses").iter().find(|status| text(status, "/name") == name)
}

fn status_of_mut<'a>(pod: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let statuses = enter(pod, &["status"]).get_mut("containerStatuses")?.as_array_mut()?;
    statuses.iter_mut().find(|status| text(status, "/name") == name)
}

/// Says how a container is, and what that makes of its pod.
fn show(pod: &mut Value, name: &str, state: Value, last: Value, ready: bool, now: &str) {
    if let Some(status) = status_of_mut(pod, name) {
        set(status, &["state"], state);
        set(status, &["lastState"], last);
        set(status, &["ready"], ready);
        set(status, &["started"], ready);
    }
    let statuses = list(pod, "/status/containerStatuses");
    let exits: Option<Vec<i64>> = statuses
        .iter()
        .map(|status| status.pointer("/state/terminated/exitCode").and_then(Value::as_i64))
        .collect();
    let all_ready = statuses.iter().all(|status| status.get("ready") == Some(&Value::Bool(true)));
    let phase = exits.map(|exits| if exits.iter().all(|exit| *exit == 0) { "Succeeded" } else { "Failed" });
    if let Some(phase) = phase {
        set(pod, &["status", "phase"], phase);
    }
    let conditions = enter(pod, &["status"]).get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        if !matches!(text(condition, "/type"), "Ready" | "ContainersReady") {
            continue;
        }
        let wanted = if all_ready { "True" } else { "False" };
        if text(condition, "/status") != wanted {
            set(condition, &["lastTransitionTime"], now);
        }
        set(condition, &["status"], wanted);
        match (all_ready, phase) {
            (true, _) => drop(object::remove(condition, &["reason"])),
            (false, Some(_)) => set(condition, &["reason"], "PodCompleted"),
            (false, None) => set(condition, &["reason"], "ContainersNotReady"),
        }
    }
}
