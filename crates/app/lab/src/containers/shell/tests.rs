use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    containers::{Chunk, Client, Exit, Output},
    rest::tests::{Lab, PODS, pod},
};

/// What a script prints, the errors after it, and its status.
fn typed(script: &str, input: &'static str) -> (String, String, Exit) {
    let lab = Lab::new();
    let mut pod = pod("a");
    pod["spec"]["containers"][0]["env"] = json!([{"name": "COLOR", "value": "light blue"}]);
    lab.create(PODS, &pod);
    lab.settle();
    let pod = lab.get(&format!("{PODS}/a")).json();
    let container = lab.api.containers().of(&lab.api, &pod, "c").unwrap();
    let words = ["sh", "-c", script].map(str::to_owned);
    lab.block_on(async {
        let (to, mut chunks) = mpsc::channel::<Chunk>(16);
        let (typed, keys) = mpsc::channel(1);
        typed.send(input.into()).await.unwrap();
        drop(typed);
        let client = Client {
            input: Some(keys),
            output: Output::Client { stream: 1, to: to.clone() },
            errors: Output::Client { stream: 2, to },
            terminal: None,
        };
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let reading = async {
            while let Some(chunk) = chunks.recv().await {
                if chunk.stream == 1 { &mut out } else { &mut errors }.extend_from_slice(&chunk.bytes);
            }
        };
        let (exit, ()) = tokio::join!(container.exec(&words, client), reading);
        (String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap(), exit)
    })
}

#[test]
fn scripts_do_what_they_do_elsewhere() {
    let check = |script: &str, expected: &str| {
        assert_eq!(typed(script, ""), (expected.to_owned(), String::new(), Exit::Status(0)), "{script}");
    };
    check("echo a  b 'c  d' \"e  $COLOR\" $COLOR", "a b c  d e  light blue light blue\n");
    check("printf '%s-%s\\n' a b c d", "a-b\nc-d\n");
    check("echo one >/tmp/f; echo two >>/tmp/f; cat </tmp/f; wc -l /tmp/f", "one\ntwo\n2 /tmp/f\n");
    check("seq 20 | tail -n 3 | head -1", "18\n");
    check("yes | head -c 4", "y\ny\n");
    check("X=$(echo $(hostname)); echo \"[$X]\"", "[a]\n");
    check(
        "for i in 1 2 3; do if [ $i = 2 ]; then echo two; elif [ $i = 3 ]; then echo three; fi; done",
        "two\nthree\n",
    );
    check("until test -f /tmp/x; do touch /tmp/x; echo made; done", "made\n");
    check("false || echo $?; true && ! false && echo yes", "1\nyes\n");
    check("cd /tmp && pwd && cd .. && pwd", "/tmp\n/\n");
    check(
        "mkdir -p /tmp/d/e; echo x >/tmp/d/e/f; cp /tmp/d/e/f /tmp/d; ls /tmp/d; rm -r /tmp/d; ls /tmp",
        "e\nf\n",
    );
    check("{ echo out; echo err >&2; } 2>&1 | sha256sum | head -c 8", "9f345aa1");
    check("COLOR=red env | grep COLOR; echo $COLOR", "COLOR=red\nlight blue\n");
    check("echo 'echo from $HOSTNAME' >/tmp/s; sh /tmp/s", "from a\n");
    check("sleep 3600; echo woke", "woke\n");
    check("echo lost >/dev/null; cat /dev/zero | head -c 3 | wc -c", "3\n");
    check("id -u; stty size 2>/dev/null || echo no terminal", "0\nno terminal\n");
}

#[test]
fn failures_are_told() {
    let check = |script: &str, errors: &str, status: i32| {
        assert_eq!(typed(script, ""), (String::new(), errors.to_owned(), Exit::Status(status)), "{script}");
    };
    check("exit 3; echo not reached", "", 3);
    check("nope", "sh: nope: not found\n", 127);
    check("cat /no", "cat: can't open '/no': No such file or directory\n", 1);
    check("echo x >/no/f", "sh: can't create /no/f: No such file or directory\n", 1);
    check("echo 'a", "sh: syntax error: unterminated quoted string\n", 2);
    check("tar cf - -C /no x", "tar: can't change directory to '/no': No such file or directory\n", 1);
    check("curl https://example.com", "curl: (6) Could not resolve host: example.com\n", 6);
    check("curl --nope x", "curl: (2) option --nope: is unknown in the lab\n", 2);
    check("sh -c 'sh -c \"exit 9\"'", "", 9);
}

#[test]
fn input_is_shared_between_the_programs_of_a_script() {
    let (out, _, exit) = typed("head -n 1; echo --; head -c 2; echo --; cat", "one\ntwo\nthree\n");
    assert_eq!((out.as_str(), exit), ("one\n--\ntw--\no\nthree\n", Exit::Status(0)));
}
