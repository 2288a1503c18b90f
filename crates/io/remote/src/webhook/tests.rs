use testkit::{Folder, Message, Reply, Upstream as Server};

use super::*;

/// A webhook that answers as it is told, and a client for it.
fn webhook(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> (Server, Webhook) {
    let server = Server::start(answer);
    let folder = Folder::new();
    let kubeconfig = folder.write("kubeconfig", server.kubeconfig());
    let (access, _) = config::kubeconfig::load_webhook(&kubeconfig).unwrap();
    let webhook = Webhook::new(&WebhookSettings {
        name: "hook",
        access: &access,
        path: "/authorize",
        version: ReviewVersion::V1,
        timeout: Duration::from_millis(2_000),
        authorized_ttl: Duration::from_secs(300),
        unauthorized_ttl: Duration::from_secs(30),
        retry_after: Duration::from_millis(1),
        fails_open: true,
    });
    (server, webhook.unwrap())
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
    let counts = webhook.counts().results;
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
