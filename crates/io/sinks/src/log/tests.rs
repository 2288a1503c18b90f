use std::{
    collections::HashSet,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
};

use super::*;

/// A directory of this test alone, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("portcullis-sinks-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn options(path: &Path, mode: LogMode) -> LogOptions {
    LogOptions { mode, ..LogOptions::new(Target::File(path.to_owned())) }
}

/// Waits for a commit the way the gate does: on a single-threaded runtime.
fn wait(commit: Commit) -> Result<(), NotRecorded> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(commit)
}

const ENOUGH: Duration = Duration::from_secs(60);

#[test]
fn lines_of_many_threads_come_out_whole_and_in_the_order_of_each_thread() {
    for mode in [LogMode::Blocking, LogMode::BlockingStrict, LogMode::Batch] {
        let scratch = Scratch::new(mode.as_str());
        let path = scratch.file("audit.log");
        let log = LogSink::open(LogOptions { buffer: 100_000, ..options(&path, mode) }).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let log = log.clone();
                scope.spawn(move || {
                    for number in 0..500 {
                        let line = format!("{thread} {number} {}\n", "x".repeat(number));
                        if number % 2 == 0 {
                            wait(log.commit(line.as_bytes())).unwrap();
                        } else {
                            log.append(line.as_bytes());
                        }
                    }
                });
            }
        });
        let status = log.close(ENOUGH);
        assert_eq!((status.received, status.written, status.waiting), (4000, 4000, 0), "{mode:?}");
        assert_eq!((status.failed, status.dropped, status.degraded), (0, 0, None), "{mode:?}");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut next = [0; 8];
        for line in text.lines() {
            let mut words = line.split(' ');
            let thread: usize = words.next().unwrap().parse().unwrap();
            let number: usize = words.next().unwrap().parse().unwrap();
            assert_eq!(words.next().unwrap().len(), number);
            assert_eq!(std::mem::replace(&mut next[thread], number + 1), number);
        }
        assert_eq!(next, [500; 8]);
    }
}

#[test]
fn a_committed_line_is_in_the_file_when_the_wait_ends() {
    let scratch = Scratch::new("committed");
    let path = scratch.file("audit.log");
    std::fs::write(&path, "before\n").unwrap();
    let log = LogSink::open(options(&path, LogMode::Blocking)).unwrap();
    log.append(b"one\n");
    wait(log.commit(b"two\n")).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\none\ntwo\n");
}

#[test]
fn a_new_file_is_for_the_gate_alone_and_a_missing_directory_is_named() {
    let scratch = Scratch::new("open");
    let path = scratch.file("audit.log");
    drop(LogSink::open(options(&path, LogMode::Blocking)).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let error = |path: &Path| LogSink::open(options(path, LogMode::Blocking)).err().unwrap().to_string();
    let lost = error(&scratch.file("not/there/audit.log"));
    assert!(lost.contains("there is no directory") && lost.ends_with("readable by the gate alone"), "{lost}");
    assert!(error(&scratch.0).contains("directory"), "a directory is no file");
    assert_eq!(Target::new("-".into()), Target::Stdout);
}

#[test]
fn a_rotated_file_is_let_go() {
    let scratch = Scratch::new("rotated");
    let (path, old) = (scratch.file("audit.log"), scratch.file("audit.log.1"));
    let log = LogSink::open(options(&path, LogMode::Blocking)).unwrap();
    wait(log.commit(b"one\n")).unwrap();
    std::fs::rename(&path, &old).unwrap();
    wait(log.commit(b"two\n")).unwrap();
    log.reopen();
    wait(log.commit(b"three\n")).unwrap();
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "one\ntwo\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");

    // A path that cannot be opened: lines stay with the old file, visibly, until it can.
    std::fs::rename(&path, scratch.file("audit.log.2")).unwrap();
    std::fs::create_dir(&path).unwrap();
    log.reopen();
    wait(log.commit(b"four\n")).unwrap();
    assert!(log.status().degraded.unwrap().reason.starts_with("cannot be opened anew"));
    std::fs::remove_dir(&path).unwrap();
    wait(log.commit(b"five\n")).unwrap();
    assert_eq!(log.close(ENOUGH).degraded, None);
    assert_eq!(std::fs::read_to_string(scratch.file("audit.log.2")).unwrap(), "three\nfour\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "five\n");
}

/// An output that takes as many bytes as it is told to, then fails once; it asks before each call.
struct Scripted {
    script: Receiver<usize>,
    left: usize,
    written: Sender<Vec<u8>>,
    prompt: bool,
}

fn scripted(prompt: bool) -> (Scripted, Sender<usize>, Receiver<Vec<u8>>) {
    let (room, script) = channel();
    let (written, seen) = channel();
    (Scripted { script, left: 0, written, prompt }, room, seen)
}

impl Output for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.left = self.script.recv().unwrap_or(usize::MAX);
            if self.left == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let count = bytes.len().min(self.left);
        self.left -= count;
        self.written.send(bytes[..count].to_vec()).unwrap();
        Ok(count)
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn is_prompt(&self) -> bool {
        self.prompt
    }
}

fn start(mode: LogMode, output: Scripted) -> LogSink {
    LogSink::start(LogOptions { buffer: 3, ..options(Path::new("/scripted"), mode) }, Box::new(output))
        .unwrap()
}

#[test]
fn a_full_disk_fails_lines_says_so_and_leaves_no_line_torn() {
    let (goes_on, is_refused) = (Ok(()), Err(NotRecorded));
    for (mode, prompt, refused) in [
        (LogMode::Blocking, false, goes_on),
        (LogMode::Blocking, true, goes_on),
        (LogMode::BlockingStrict, false, is_refused),
        (LogMode::BlockingStrict, true, is_refused),
    ] {
        let (output, room, seen) = scripted(prompt);
        let log = start(mode, output);
        // Room for the first line and three bytes of the second, then none, then enough.
        let first = log.commit(b"first\n");
        room.send(6).unwrap();
        assert_eq!(wait(first), Ok(()), "{mode:?}");
        let second = log.commit(b"second\n");
        room.send(3).unwrap();
        room.send(0).unwrap();
        assert_eq!(wait(second), refused, "{mode:?}");
        let status = log.status();
        assert_eq!((status.written, status.failed), (1, 1), "{mode:?}");
        assert!(status.degraded.is_some(), "{mode:?}");
        room.send(usize::MAX).unwrap();
        assert_eq!(wait(log.commit(b"third\n")), Ok(()), "{mode:?}");
        assert_eq!(log.status().degraded, None, "{mode:?}");
        drop(log);
        let bytes: Vec<u8> = seen.iter().flatten().collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), "first\nsec\nthird\n", "{mode:?}");
    }
}

#[test]
fn of_a_batch_that_stops_halfway_the_whole_lines_count_as_written() {
    for prompt in [false, true] {
        let (output, room, _seen) = scripted(prompt);
        let log = start(LogMode::BlockingStrict, output);
        let held = log.commit(b"held\n");
        // The first line may be on its way, or all of them may go at once: both are fine.
        let rest: Vec<Commit> = (0..4).map(|_| log.commit(b"line\n")).collect();
        room.send(17).unwrap();
        room.send(0).unwrap();
        assert_eq!(wait(held), Ok(()));
        let answers: Vec<_> = rest.into_iter().map(wait).collect();
        assert_eq!(answers, [Ok(()), Ok(()), Err(NotRecorded), Err(NotRecorded)]);
        assert_eq!((log.status().written, log.status().failed), (3, 2));
        drop(room);
    }
}

#[test]
fn batch_never_waits_and_counts_what_it_drops() {
    let (output, room, seen) = scripted(true);
    let log = start(LogMode::Batch, output);
    log.append(b"held\n");
    // Once the writer holds a batch, three more fit.
    while log.0.shared.queue.lock().batch.lines > 0 {
        std::thread::yield_now();
    }
    for _ in 0..5 {
        assert_eq!(wait(log.commit(b"line\n")), Ok(()));
    }
    let status = log.status();
    assert_eq!((status.received, status.dropped, status.waiting), (6, 2, 4));
    room.send(usize::MAX).unwrap();
    let status = log.close(ENOUGH);
    assert_eq!((status.written, status.dropped, status.waiting), (4, 2, 0));
    log.append(b"late\n");
    assert_eq!(log.status().dropped, 3);
    drop(log);
    assert_eq!(seen.iter().flatten().collect::<Vec<u8>>(), b"held\nline\nline\nline\n");
}

#[test]
fn closing_does_not_wait_for_ever() {
    let (output, room, _seen) = scripted(false);
    let log = start(LogMode::Blocking, output);
    log.append(b"stuck\n");
    assert_eq!(log.close(Duration::from_millis(1)).waiting, 1);
    room.send(usize::MAX).unwrap();
    assert_eq!(log.close(ENOUGH).waiting, 0);
}

/// An output whose calls tell who makes them.
struct Watched(Sender<std::thread::ThreadId>, bool);

impl Output for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(std::thread::current().id()).unwrap();
        Ok(bytes.len())
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn is_prompt(&self) -> bool {
        self.1
    }
}

#[test]
fn who_commits_writes_for_all_of_its_worker_and_leaves_a_pipe_to_the_thread() {
    for prompt in [true, false] {
        let (writes, seen) = channel();
        let options = options(Path::new("/watched"), LogMode::BlockingStrict);
        let log = LogSink::start(options, Box::new(Watched(writes, prompt))).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let done = runtime.block_on(async {
            let requests: Vec<_> = (0..16)
                .map(|_| {
                    let log = log.clone();
                    tokio::spawn(async move { log.commit(b"line\n").await })
                })
                .collect();
            let mut done = Vec::new();
            for request in requests {
                done.push(request.await.unwrap());
            }
            done
        });
        assert_eq!(done, [Ok(()); 16]);
        log.close(ENOUGH);
        drop(log);
        let calls: Vec<_> = seen.iter().collect();
        assert_eq!(calls.contains(&std::thread::current().id()), prompt);
        // The thread may take what it finds after its time; none of the others writes alone.
        assert!(calls.len() < 16, "{} calls", calls.len());
    }
}

#[test]
fn a_line_whose_request_is_given_up_is_written_all_the_same() {
    let (output, room, seen) = scripted(true);
    let log = start(LogMode::Blocking, output);
    room.send(usize::MAX).unwrap();
    drop(log.commit(b"left\n"));
    assert_eq!(seen.recv_timeout(ENOUGH).unwrap(), b"left\n");
    drop(log);
}

#[test]
fn while_one_writes_the_others_wait_for_the_thread() {
    let (output, room, seen) = scripted(true);
    let log = start(LogMode::BlockingStrict, output);
    let first = log.commit(b"first\n");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| wait(first));
        // Whoever has taken the first line is stuck in the call.
        while log.0.shared.queue.lock().batch.lines > 0 {
            std::thread::yield_now();
        }
        let second = log.commit(b"second\n");
        let waiting = scope.spawn(|| wait(second));
        room.send(usize::MAX).unwrap();
        assert_eq!((writing.join().unwrap(), waiting.join().unwrap()), (Ok(()), Ok(())));
    });
    drop(log);
    assert_eq!(seen.iter().flatten().collect::<Vec<u8>>(), b"first\nsecond\n");
}

#[test]
fn a_writer_that_panics_leaves_nobody_waiting() {
    struct Panics(bool);
    impl Output for Panics {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("as this test wants it")
        }
        fn reopen(&mut self) -> io::Result<()> {
            Ok(())
        }
        fn is_prompt(&self) -> bool {
            self.0
        }
    }
    let start = |prompt| {
        let options = options(Path::new("/panics"), LogMode::BlockingStrict);
        LogSink::start(options, Box::new(Panics(prompt))).unwrap()
    };
    let log = start(false);
    assert_eq!(wait(log.commit(b"line\n")), Err(NotRecorded));
    assert_eq!(wait(log.commit(b"line\n")), Err(NotRecorded));
    assert_eq!(log.close(ENOUGH).mode, LogMode::BlockingStrict);

    // A request that panics takes the other lines of its batch with it, and they are told.
    let log = start(true);
    let (one, other) = (log.commit(b"line\n"), log.commit(b"line\n"));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait(one)));
    // Either it did, or the thread before it.
    assert_ne!(panicked.ok(), Some(Ok(())));
    assert_eq!(wait(other), Err(NotRecorded));
    assert_eq!(log.status().failed, 2);
}

#[test]
fn modes_are_spelt_as_kube_apiserver_spells_them() {
    let known: HashSet<_> =
        ["blocking", "blocking-strict", "batch"].map(|mode| mode.parse::<LogMode>().unwrap().as_str()).into();
    assert_eq!(known.len(), 3);
    assert!("Blocking".parse::<LogMode>().is_err());
}
