use testkit::{Folder, Message, Reply, Upstream as Server};

use super::*;

/// A webhook that answers as it is told, and a client for it.
fn webhook(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> (Server, Webhook) {
    let server = Server::start(answer);
    let folder = Folder::new();
    let kubeconfig = folder.write("kubeconfig", server.kubeconfig());
    let (access, _) = config::kubeconfig::load_webhook(&kubeconfig).unwrap();
    let webhook = client(&access);
    (server, webhook)
}

fn client(access: &ClusterAccess) -> Webhook {
    let webhook = Webhook::new(&WebhookSettings {
        name: "hook",
        access,
        path: "/authorize",
        version: ReviewVersion::V1,
        timeout: Duration::from_millis(2_000),
        authorized_ttl: Duration::from_secs(300),
        unauthorized_ttl: Duration::from_secs(30),
        retry_after: Duration::from_millis(1),
        fails_open: true,
    });
    webhook.unwrap()
}

const YES: &str = r#"{"status":{"allowed":true}}"#;

#[tokio::test]
async fn what_it_is_sent() {
    let (server, webhook) = webhook(|_| Reply::json(201, YES));
    assert!(webhook.ask(r#"{"spec":1}"#).await.unwrap().allowed);
    let [message] = server.take().try_into().unwrap();
    assert_eq!(message.line, "POST /authorize?timeout=2s HTTP/1.1");
    assert_eq!(message.header("content-type"), Some("application/json"));
    assert_eq!(message.body, br#"{"spec":1}"#);
}

/// What comes of an answer, and how often it was asked for.
async fn check(reply: Reply, class: FailureClass, message: &str, tries: usize) {
    let (server, mut webhook) = webhook(move |_| reply.clone());
    webhook.timeout = Duration::from_millis(200);
    let failure = webhook.ask("{}").await.unwrap_err();
    assert!(failure.class == class && failure.message.contains(message), "{failure:?}");
    let result = if class == FailureClass::Timeout { TryResult::Timeout } else { TryResult::Error };
    let counts = webhook.counts.read();
    let (_, counted) = counts.iter().find(|(counted, _)| *counted == result).unwrap();
    // What `Retry-After` asks for is no try of its own.
    let tries_counted = if tries == 11 { 1 } else { tries as u64 };
    assert_eq!((counted.count, counted.fail_open), (tries_counted, 1));
    assert_eq!(counted.below.iter().sum::<u64>(), tries_counted);
    assert_eq!(server.seen().len(), tries, "{failure:?}");
}

#[tokio::test]
async fn hostile_answers_are_none() {
    use FailureClass::{Connection, Response, Timeout};
    let bytes = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
    // A redirect to where somebody says yes is not followed.
    let away = "HTTP/1.1 307 T\r\nlocation: https://127.0.0.1:1/yes\r\ncontent-length: 0\r\n\r\n";
    check(bytes(away), Response, "answered 307", 1).await;
    let huge = format!(r#"{{"status":{{"allowed":true}},"x":"{}"}}"#, "y".repeat(MAX_BODY_BYTES));
    check(Reply::json(200, &huge), Response, "longer than", 1).await;
    // An answer that never ends.
    let drip = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"status\":{\"allowed\":true}}";
    check(bytes(drip), Timeout, "did not answer within", 1).await;
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"status\":{\"allowed\":true}}";
    check(Reply::Last(cut.as_bytes().to_vec()), Connection, "broke off", 1).await;
    check(bytes("SSH-2.0-x\r\n\r\n"), Connection, "", 1).await;
    check(Reply::json(200, "yes"), Response, "no JSON", 1).await;
    check(Reply::Reset, Connection, "", 5).await;
    check(Reply::json(500, YES), Response, "answered 500", 5).await;
    check(Reply::json(403, YES), Response, "answered 403", 1).await;
    // One whose type nobody can read is none, whatever it says.
    check(typed("a b"), Response, "Content-Type", 5).await;
}

fn typed(content_type: &str) -> Reply {
    let (length, line) = (YES.len(), format!("content-type: {content_type}"));
    Reply::Bytes(format!("HTTP/1.1 200 OK\r\n{line}\r\ncontent-length: {length}\r\n\r\n{YES}").into_bytes())
}

#[tokio::test]
async fn answers_of_any_type_are_read() {
    for content_type in ["text/plain; charset=utf-8", "application/vnd.kubernetes.protobuf", "", "json;"] {
        let (_server, webhook) = webhook(move |_| typed(content_type));
        assert!(webhook.ask("{}").await.unwrap().allowed, "{content_type}");
    }
}

/// Of each result that there is, how many tries.
fn tried(webhook: &Webhook) -> Vec<(&'static str, u64)> {
    let results = webhook.counts.read().into_iter();
    results
        .filter(|(_, counts)| counts.count > 0)
        .map(|(result, counts)| (result.as_str(), counts.count))
        .collect()
}

#[tokio::test]
async fn a_webhook_that_gives_up_waiting_counts_as_late() {
    let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Timeout","code":500}"#;
    for reply in [Reply::json(504, ""), Reply::json(500, status)] {
        let (_server, webhook) = webhook(move |_| reply.clone());
        assert_eq!(webhook.ask("{}").await.unwrap_err().class, FailureClass::Response);
        assert_eq!(tried(&webhook), [("timeout", 5)]);
    }
}

#[tokio::test]
async fn a_try_that_nobody_waits_for_counts_as_canceled() {
    let (server, webhook) = webhook(|_| Reply::Bytes(Vec::new()));
    let asking = webhook.ask("{}");
    let seen = async {
        while server.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        () = seen => {}
    }
    assert_eq!(tried(&webhook), [("canceled", 1)]);
    assert!(webhook.counts.read().iter().all(|(_, counts)| counts.fail_open == 0));
}

/// What becomes of a connection that ends before its TLS session begins, and how many were tried.
async fn ends_in_the_handshake(reset: bool) -> usize {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let counting = std::thread::spawn(move || {
        let mut count = 0;
        for tcp in listener.incoming() {
            let mut tcp = tcp.unwrap();
            // The client's greeting; whoever says something else has seen enough.
            let mut byte = [0];
            if io::Read::read(&mut tcp, &mut byte).unwrap() == 0 || byte != [0x16] {
                return count;
            }
            count += 1;
            if reset {
                // Closing with bytes unread resets.
                continue;
            }
            while let Ok(1..) =
                tcp.set_nonblocking(true).and_then(|()| io::Read::read(&mut tcp, &mut [0; 4096]))
            {
            }
            std::net::TcpStream::shutdown(&tcp, std::net::Shutdown::Write).unwrap();
            tcp.set_nonblocking(false).unwrap();
            while let Ok(1..) = io::Read::read(&mut tcp, &mut [0; 4096]) {}
        }
        count
    });
    let server = Server::that_says_yes();
    let folder = Folder::new();
    let text = server.kubeconfig().replace(&server.address().to_string(), &address.to_string());
    let (access, _) = config::kubeconfig::load_webhook(&folder.write("kubeconfig", text)).unwrap();
    let webhook = client(&access);
    let failure = webhook.ask("{}").await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Connection, "{failure:?}");
    io::Write::write_all(&mut std::net::TcpStream::connect(address).unwrap(), b"!").unwrap();
    counting.join().unwrap()
}

#[tokio::test]
async fn a_reset_in_the_handshake_is_tried_again_and_an_end_is_not() {
    assert_eq!(ends_in_the_handshake(true).await, 5);
    assert_eq!(ends_in_the_handshake(false).await, 1);
}

#[test]
fn what_is_remembered_is_bounded_in_number_and_in_bytes() {
    let known = |reason: &str| Known {
        status: AccessStatus { reason: reason.into(), ..AccessStatus::default() },
        as_of: Timestamp::UNIX_EPOCH,
    };
    let weight =
        |review: usize, reason: usize| weight(&"r".repeat(review).into(), &known(&"w".repeat(reason)));
    assert_eq!(weight(100, 100) * MAX_KEPT, MAX_KEPT_BYTES);
    assert!(weight(100_000, 0) > 100_000 && weight(0, 1 << 20) > 1 << 20);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_server, webhook) = runtime.block_on(async { webhook(|_| Reply::json(200, YES)) });
    let long = "g".repeat(1 << 20);
    for number in 0..100 {
        webhook.remember(&format!("{long}{number}").into(), &AccessStatus::default(), Timestamp::UNIX_EPOCH);
    }
    webhook.kept.run_pending_tasks();
    assert!((1..=63).contains(&webhook.kept.entry_count()), "{}", webhook.kept.entry_count());
}

#[tokio::test]
async fn obeys_retry_after_within_its_time() {
    let busy = |wait: &str| {
        Reply::Bytes(
            format!("HTTP/1.1 503 B\r\nretry-after: {wait}\r\ncontent-length: 0\r\n\r\n").into_bytes(),
        )
    };
    // Ten more times within one try; nothing further, for 0 s say nothing of trying again.
    check(busy("0"), FailureClass::Response, "answered 503", 11).await;
    check(busy("soon"), FailureClass::Response, "answered 503", 1).await;
    let began = Instant::now();
    check(busy("3600"), FailureClass::Timeout, "did not answer within", 1).await;
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn nobody_answers() {
    let (server, webhook) = webhook(|_| Reply::json(200, YES));
    let address = server.address();
    drop(server);
    // The listener may have to be woken first.
    while std::net::TcpStream::connect(address).is_ok() {}
    let failure = webhook.ask("{}").await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Connection);
}

#[test]
fn remembers_by_its_own_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_server, webhook) = runtime.block_on(async { webhook(|_| Reply::json(200, YES)) });
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
    let (yes, no): (Arc<str>, Arc<str>) = ("yes".into(), "no".into());
    let allowed = AccessStatus { allowed: true, ..AccessStatus::default() };
    webhook.remember(&yes, &allowed, at(0));
    webhook.remember(&no, &AccessStatus::default(), at(0));
    for (second, allows, refuses) in
        [(0, true, true), (30, true, true), (31, true, false), (300, true, false), (301, false, false)]
    {
        assert_eq!(webhook.remembered(&yes, at(second)).is_some(), allows, "{second}");
        assert_eq!(webhook.remembered(&no, at(second)).is_some(), refuses, "{second}");
    }
    // The clock was set back.
    assert_eq!(webhook.remembered(&yes, at(-1_000)), None);
    webhook.forget();
    assert_eq!(webhook.remembered(&yes, at(0)), None);
}
