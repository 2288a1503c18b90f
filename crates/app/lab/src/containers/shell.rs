//! A small shell: enough for what people type into a pod.

mod expand;
mod parse;

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinSet};

use super::{
    Container, commands,
    files::{self, resolve},
    pipe::{Input, Output, pipe},
    terminal::Size,
};
use parse::{Node, Redirect, Target, Word};

/// How deep `sh` may call `sh`.
const DEEPEST: usize = 16;

/// The exit status of a program whose reader is gone, as for SIGPIPE.
pub(crate) const PIPE_BROKEN: i32 = 141;
/// The exit status of a program that was interrupted.
pub(crate) const INTERRUPTED: i32 = 130;
const NOT_FOUND: i32 = 127;

/// What a program reads and writes.
#[derive(Clone)]
pub(crate) struct Io {
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) errors: Output,
}

impl Io {
    /// Says something as a program does that then ends with `status`.
    pub(crate) async fn fail(&self, message: &str, status: i32) -> i32 {
        let _: Result<_, _> = self.errors.write(format!("{message}\n")).await;
        status
    }

    /// Writes all output of a program.
    pub(crate) async fn say(&self, text: impl Into<Bytes>) -> i32 {
        match self.output.write(text).await {
            Ok(()) => 0,
            Err(_) => PIPE_BROKEN,
        }
    }
}

/// The terminal that a program was given, if any.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    pub(crate) size: watch::Receiver<Size>,
    /// Counts Ctrl-C.
    pub(crate) interrupts: watch::Receiver<u64>,
}

/// One running shell, or one program run without one.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) container: Arc<Container>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) folder: String,
    pub(crate) terminal: Option<Terminal>,
    status: i32,
    /// `exit` was called.
    over: bool,
    depth: usize,
}

type Running<'a> = Pin<Box<dyn Future<Output = i32> + Send + 'a>>;

impl Shell {
    pub(crate) fn new(container: &Arc<Container>, terminal: Option<Terminal>) -> Self {
        let mut variables: BTreeMap<_, _> = container.environment().iter().cloned().collect();
        if terminal.is_some() {
            variables.insert("TERM".to_owned(), "xterm".to_owned());
        }
        Self {
            container: Arc::clone(container),
            variables,
            folder: container.folder().to_owned(),
            terminal,
            status: 0,
            over: false,
            depth: 0,
        }
    }

    /// Runs one program.
    pub(crate) fn run<'a>(&'a mut self, words: &'a [String], io: &'a Io) -> Running<'a> {
        Box::pin(async move {
            let Some((name, arguments)) = words.split_first() else { return 0 };
            match commands::base_name(name) {
                "exit" => {
                    self.over = true;
                    arguments.first().and_then(|status| status.parse().ok()).unwrap_or(self.status) & 0xff
                }
                "cd" => self.change_folder(arguments, io).await,
                "export" => {
                    let assigned = arguments.iter().filter_map(|argument| argument.split_once('='));
                    self.variables.extend(assigned.map(|(name, value)| (name.into(), value.into())));
                    0
                }
                "unset" => {
                    self.variables.retain(|name, _| !arguments.contains(name));
                    0
                }
                "set" | ":" => 0,
                "exec" | "command" if !arguments.is_empty() => self.run(arguments, io).await,
                "sh" | "bash" | "ash" => self.shell(name, arguments, io).await,
                base if commands::exists(base) => {
                    commands::run(self, base, arguments, io).await.unwrap_or(NOT_FOUND)
                }
                _ => io.fail(&format!("sh: {name}: not found"), NOT_FOUND).await,
            }
        })
    }

    async fn change_folder(&mut self, arguments: &[String], io: &Io) -> i32 {
        let home = self.variables.get("HOME").map_or("/", String::as_str);
        let wanted = resolve(&self.folder, arguments.first().map_or(home, String::as_str));
        let found = self.container.files().names(&wanted).map(drop);
        match found {
            Ok(()) => {
                self.folder = wanted;
                0
            }
            Err(wrong) => io.fail(&format!("sh: cd: {wanted}: {wrong}"), 1).await,
        }
    }

    /// `sh`, `sh -c SCRIPT`, `sh FILE`.
    async fn shell(&mut self, name: &str, arguments: &[String], io: &Io) -> i32 {
        let mut inner = self.clone();
        inner.depth += 1;
        if inner.depth > DEEPEST {
            return io.fail(&format!("{name}: too many shells in each other"), 1).await;
        }
        let (flags, rest): (Vec<_>, Vec<_>) =
            arguments.iter().partition(|argument| argument.starts_with('-'));
        let takes_script = flags.iter().any(|flag| flag.ends_with('c'));
        match rest.first() {
            Some(script) if takes_script => inner.script(script, io).await,
            Some(file) => {
                let path = resolve(&self.folder, file);
                let text = self.container.files().read(&path);
                match text {
                    Ok(text) => inner.script(&String::from_utf8_lossy(&text), io).await,
                    Err(wrong) => io.fail(&format!("{name}: {file}: {wrong}"), NOT_FOUND).await,
                }
            }
            None => inner.interactive(io).await,
        }
    }

    /// Reads commands line by line until input ends.
    async fn interactive(&mut self, io: &Io) -> i32 {
        let prompt = self.terminal.is_some();
        while !self.over {
            if prompt {
                let folder = if self.folder.is_empty() { "/" } else { &self.folder };
                if io.output.write(format!("{folder} # ")).await.is_err() {
                    return PIPE_BROKEN;
                }
            }
            let Some(line) = io.input.line().await else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut interrupts = self.terminal.as_ref().map(|terminal| terminal.interrupts.clone());
            self.status = tokio::select! {
                status = self.script(&line, io) => status,
                () = interrupted(&mut interrupts) => INTERRUPTED,
            };
        }
        self.status
    }

    async fn script(&mut self, text: &str, io: &Io) -> i32 {
        match parse::script(text) {
            Ok(node) => self.node(&node, io).await,
            Err(malformed) => io.fail(&format!("sh: {malformed}"), 2).await,
        }
    }

    fn node<'a>(&'a mut self, node: &'a Node, io: &'a Io) -> Running<'a> {
        Box::pin(async move {
            let status = self.step(node, io).await;
            self.status = status;
            status
        })
    }

    async fn step(&mut self, node: &Node, io: &Io) -> i32 {
        match node {
            Node::Simple { assigned, words, redirects } => self.simple(assigned, words, redirects, io).await,
            Node::Pipeline(stages) => self.pipeline(stages, io).await,
            Node::Not(inner) => i32::from(self.node(inner, io).await == 0),
            Node::And(left, right) => match self.node(left, io).await {
                0 if !self.over => self.node(right, io).await,
                status => status,
            },
            Node::Or(left, right) => match self.node(left, io).await {
                status if status == 0 || self.over => status,
                _ => self.node(right, io).await,
            },
            Node::Sequence(nodes) => {
                let mut status = 0;
                for node in nodes {
                    status = self.node(node, io).await;
                    if self.over {
                        break;
                    }
                }
                status
            }
            Node::While { until, condition, body } => {
                let mut status = 0;
                loop {
                    let last = self.node(condition, io).await;
                    if self.over {
                        return last;
                    }
                    if (last == 0) == *until {
                        return status;
                    }
                    status = self.node(body, io).await;
                    if self.over {
                        return status;
                    }
                    // A loop that waits for nothing must not keep the others from running.
                    tokio::task::yield_now().await;
                }
            }
            Node::For { name, words, body } => {
                let mut status = 0;
                for value in self.expand(words, io).await {
                    self.variables.insert(name.clone(), value);
                    status = self.node(body, io).await;
                    if self.over {
                        break;
                    }
                }
                status
            }
            Node::If { condition, then, otherwise } => match (self.node(condition, io).await, otherwise) {
                (status, _) if self.over => status,
                (0, _) => self.node(then, io).await,
                (_, Some(otherwise)) => self.node(otherwise, io).await,
                (_, None) => 0,
            },
            Node::Redirected { body, redirects } => match self.redirected(redirects, io).await {
                Ok(io) => self.node(body, &io).await,
                Err(status) => status,
            },
        }
    }

    async fn simple(
        &mut self,
        assigned: &[(String, Word)],
        words: &[Word],
        redirects: &[Redirect],
        io: &Io,
    ) -> i32 {
        let before = self.status;
        let words = self.expand(words, io).await;
        let mut values = Vec::new();
        for (name, word) in assigned {
            values.push((name.clone(), self.one(word, io).await));
        }
        let io = match self.redirected(redirects, io).await {
            Ok(io) => io,
            Err(status) => return status,
        };
        if words.is_empty() {
            self.variables.extend(values);
            // The status of `a=$(false)` is that of its command.
            return if assigned.is_empty() { before } else { self.status };
        }
        if values.is_empty() {
            return self.run(&words, &io).await;
        }
        let outside = self.variables.clone();
        self.variables.extend(values);
        let status = self.run(&words, &io).await;
        self.variables = outside;
        status
    }

    async fn pipeline(&mut self, stages: &[Node], io: &Io) -> i32 {
        let Some((last, before)) = stages.split_last() else { return 0 };
        // Dropped with this future: nothing runs on once the client is gone.
        let mut running = JoinSet::new();
        let mut input = io.input.clone();
        for stage in before {
            let (output, next) = pipe();
            let io = Io { input, output, errors: io.errors.clone() };
            let (mut shell, stage) = (self.clone(), stage.clone());
            running.spawn(async move { shell.node(&stage, &io).await });
            input = next;
        }
        let mut shell = self.clone();
        let io = Io { input, ..io.clone() };
        let status = shell.node(last, &io).await;
        drop(io);
        while running.join_next().await.is_some() {}
        status
    }

    async fn redirected(&mut self, redirects: &[Redirect], io: &Io) -> Result<Io, i32> {
        let mut io = io.clone();
        for redirect in redirects {
            let output = match &redirect.to {
                Target::Same(1) => io.output.clone(),
                Target::Same(2) => io.errors.clone(),
                Target::Same(_) => Output::Nowhere,
                Target::Read(word) => {
                    let path = self.one(word, &io).await;
                    match self.open(&path) {
                        Ok(input) => io.input = input,
                        Err(wrong) => return Err(cannot(&io, "open", &path, wrong).await),
                    }
                    continue;
                }
                Target::Write(word) | Target::Append(word) => {
                    let path = self.one(word, &io).await;
                    let append = matches!(redirect.to, Target::Append(_));
                    match self.create(&path, append, &io) {
                        Ok(output) => output,
                        Err(wrong) => return Err(cannot(&io, "create", &path, wrong).await),
                    }
                }
            };
            match redirect.of {
                2 => io.errors = output,
                _ => io.output = output,
            }
        }
        Ok(io)
    }

    /// What reading a path gives.
    pub(crate) fn open(&self, path: &str) -> Result<Input, files::Wrong> {
        match resolve(&self.folder, path).as_str() {
            "/dev/null" => Ok(Input::empty()),
            "/dev/zero" => Ok(zeroes()),
            path => self.container.files().read(path).map(Input::of),
        }
    }

    /// Where writing to a path goes.
    pub(crate) fn create(&self, path: &str, append: bool, io: &Io) -> Result<Output, files::Wrong> {
        let path = resolve(&self.folder, path);
        match path.as_str() {
            "/dev/null" => return Ok(Output::Nowhere),
            "/dev/stdout" => return Ok(io.output.clone()),
            "/dev/stderr" => return Ok(io.errors.clone()),
            // What the first process writes is the container's log.
            "/proc/1/fd/1" | "/proc/1/fd/2" => {
                let error = path.ends_with('2');
                return Ok(Output::Log { container: Arc::clone(&self.container), error });
            }
            _ => {}
        }
        let now = self.container.now().as_second();
        let mut files = self.container.files();
        match append {
            true => files.append(&path, b"", now)?,
            false => files.create(&path, 0o644, now)?,
        }
        Ok(Output::File { container: Arc::clone(&self.container), path: path.into() })
    }
}

async fn cannot(io: &Io, what: &str, path: &str, wrong: files::Wrong) -> i32 {
    io.fail(&format!("sh: can't {what} {path}: {wrong}"), 1).await
}

/// Zeroes for as long as somebody reads.
fn zeroes() -> Input {
    let (output, input) = pipe();
    tokio::spawn(async move {
        let zeroes = Bytes::from_static(&[0; super::pipe::PIECE]);
        while output.write(zeroes.clone()).await.is_ok() {}
    });
    input
}

/// Ends at the next Ctrl-C.
pub(crate) async fn interrupted(interrupts: &mut Option<watch::Receiver<u64>>) {
    if let Some(interrupts) = interrupts {
        interrupts.mark_unchanged();
        if interrupts.changed().await.is_ok() {
            return;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
