use futures_util::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::{channels::Codec, *};
use crate::rest::tests::{Lab, PODS, pod};

#[test]
fn outcomes_are_told_as_a_kubelet_does() {
    let check = |exit: Exit, pointer: &str, expected: Value| {
        assert_eq!(outcome(&exit).pointer(pointer), Some(&expected), "{exit:?} {pointer}");
    };
    check(Exit::Status(0), "/status", "Success".into());
    check(Exit::Status(3), "/reason", "NonZeroExitCode".into());
    check(Exit::Status(3), "/details/causes/0", json!({"reason": "ExitCode", "message": "3"}));
    check(Exit::NoSuchProgram("x".into()), "/reason", "InternalError".into());
}

/// A lab with a pod `a` that listens on ports 7 and 80.
fn lab(spec: &Value) -> (Lab, Arc<Container>) {
    let lab = Lab::new();
    let mut pod = pod("a");
    pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}, {"containerPort": 7}]);
    for (member, value) in spec.as_object().into_iter().flatten() {
        pod["spec"]["containers"][0][member] = value.clone();
    }
    lab.create(PODS, &pod);
    lab.settle();
    let pod = lab.get(&format!("{PODS}/a")).json();
    let container = lab.api.containers().of(&lab.api, &pod, "c").unwrap();
    (lab, container)
}

const ALL: Wants = Wants { stdin: true, stdout: true, stderr: true, tty: false };

fn exec(script: &str) -> Work {
    Work::Exec(["sh", "-c", script].map(str::to_owned).into(), ALL)
}

/// Everything that comes on the channels, each on its own, until the server closes in good order.
async fn read(client: &mut WebSocketStream<DuplexStream>, codec: Codec) -> [String; 4] {
    let mut read = [const { String::new() }; 4];
    while let Some(message) = client.next().await {
        match message.unwrap() {
            Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1000),
            message => {
                let (channel, bytes) = codec.read(message).unwrap();
                read[usize::from(channel)].push_str(std::str::from_utf8(&bytes).unwrap());
            }
        }
    }
    read
}

/// Lets a client talk to what `work` leads to.
fn talked<T, F>(
    lab: &Lab,
    container: &Arc<Container>,
    carrier: Carrier,
    work: Work,
    client: impl FnOnce(DuplexStream) -> F,
) -> T
where
    F: Future<Output = T>,
{
    let (near, far) = duplex(1 << 16);
    lab.block_on(async { tokio::join!(talk(far, carrier, work, container), client(near)).1 })
}

#[test]
fn programs_talk_over_every_kind_of_channels() {
    let success = r#"{"metadata":{},"status":"Success"}"#;
    for (base64, closes, status) in
        [(false, true, true), (false, false, true), (true, false, true), (false, false, false)]
    {
        let (lab, container) = lab(&json!({}));
        let codec = Codec { base64, closes, status };
        let work = exec("head -n 1; echo err >&2");
        let read = talked(&lab, &container, Carrier::Channels(codec), work, |io| async move {
            let mut client = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
            client.send(codec.write(channels::STDIN, b"typed\nmore")).await.unwrap();
            read(&mut client, codec).await
        });
        let told = if status { success } else { "" };
        assert_eq!(read, ["", "typed\n", "err\n", told], "{codec:?}");
    }
}

#[test]
fn version_5_can_close_input() {
    let (lab, container) = lab(&json!({}));
    let codec = Codec { base64: false, closes: true, status: true };
    let read = talked(&lab, &container, Carrier::Channels(codec), exec("cat; exit 4"), |io| async move {
        let mut client = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        client.send(codec.write(channels::STDIN, b"all")).await.unwrap();
        client.send(codec.write(255, &[channels::STDIN])).await.unwrap();
        read(&mut client, codec).await
    });
    assert_eq!(read[1], "all");
    assert!(read[3].contains(r#""reason":"NonZeroExitCode""#), "{}", read[3]);
}

/// The future of a program ends with its client's connection, whatever the program is doing.
#[test]
fn a_program_ends_with_its_client() {
    let codec = Codec { base64: false, closes: true, status: true };
    for script in ["sleep 100000", "yes", "while true; do true; done", "cat", "tail -f /dev/null"] {
        for carrier in [Carrier::Channels(codec), Carrier::Spdy] {
            let (lab, container) = lab(&json!({}));
            talked(&lab, &container, carrier, exec(script), |io| async move { drop(io) });
        }
    }
}

#[test]
fn the_first_to_attach_misses_nothing() {
    let (lab, container) =
        lab(&json!({"stdin": true, "stdinOnce": true, "command": ["sh", "-c", "echo early; cat"]}));
    let codec = Codec { base64: false, closes: true, status: true };
    let (stop, stopping) = watch::channel(false);
    let (near, far) = duplex(1 << 16);
    let read = lab.block_on(async {
        let client = async {
            while !container.log().more(0).await {}
            let mut client = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
            client.send(codec.write(channels::STDIN, b"late\n")).await.unwrap();
            client.send(codec.write(255, &[channels::STDIN])).await.unwrap();
            let read = read(&mut client, codec).await;
            stop.send_replace(true);
            read
        };
        let attached = talk(far, Carrier::Channels(codec), Work::Attach(ALL), &container);
        tokio::join!(crate::containers::run(Arc::clone(&lab.api), stopping), attached, client).2
    });
    assert_eq!(read[1], "early\nlate\n");
}

#[test]
fn ports_are_reached_over_channels() {
    let codec = Codec { base64: false, closes: false, status: true };
    let (lab, container) = lab(&json!({}));
    let work = Work::PortForward(vec![7, 81]);
    let (echoed, refused) = talked(&lab, &container, Carrier::Channels(codec), work, |io| async move {
        let mut client = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        client.send(codec.write(0, b"ping")).await.unwrap();
        let mut got = [const { Vec::new() }; 4];
        while got[0].len() < 6 || got[3].len() < 3 {
            let (channel, bytes) = codec.read(client.next().await.unwrap().unwrap()).unwrap();
            got[usize::from(channel)].extend_from_slice(&bytes);
        }
        let [echoed, _, _, refused] = got;
        (echoed, refused)
    });
    assert_eq!(echoed, [&[7, 0][..], b"ping"].concat());
    assert!(String::from_utf8_lossy(&refused).ends_with("connection refused"));
}
