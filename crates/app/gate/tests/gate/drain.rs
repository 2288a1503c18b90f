//! How a gate ends.

use std::{io::Read, time::Duration};

use testkit::{Reply, Upstream};

use crate::world::{World, request};

#[test]
fn running_requests_end_and_no_new_ones_begin() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = parking_lot::Mutex::new(held);
    let (arrived, has_arrived) = std::sync::mpsc::channel::<()>();
    let upstream = Upstream::start(move |_| {
        let _ = arrived.send(());
        let _ = held.lock().recv();
        Reply::json(200, "{}")
    });
    // Both connections are one worker's: when the idle one is closed, the other knows that it is the last.
    let mut world = World::with(upstream, |options, _| options.workers = Some(1));
    let mut idle = world.dev();
    let mut running = world.dev();
    running.send(request("GET /api/v1/pods", &["Audit-ID: kept"])).unwrap();
    has_arrived.recv().unwrap();
    let address = world.running().address();
    world.running().shutdown();
    // An idle connection is closed at once, and the port with it.
    assert_eq!(idle.stream().read(&mut [0]).unwrap_or(0), 0);
    release.send(()).unwrap();
    let response = running.receive(false).unwrap();
    assert_eq!((response.status, response.message.header("connection")), (200, Some("close")));
    assert_eq!(running.stream().read(&mut [0]).unwrap_or(0), 0);
    let events = world.audit();
    assert!(events.iter().any(|e| e.contains("\"auditID\":\"kept\"") && e.contains("ResponseComplete")));
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn what_lasts_ends_at_the_end_of_the_grace_and_is_on_record() {
    let upstream = Upstream::start(|message| match message.header("upgrade") {
        Some(_) => Reply::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n".to_vec(),
        ),
        None => Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
    });
    let mut world = World::with(upstream, |options, _| options.shutdown_grace = Duration::from_millis(200));
    let mut watch = world.dev();
    watch.send(request("GET /api/v1/pods?watch=1", &["Audit-ID: watch"])).unwrap();
    assert_eq!(watch.receive_head().unwrap().status, 200);
    let mut exec = world.dev();
    let upgrade = ["Connection: Upgrade", "Upgrade: SPDY/3.1", "Audit-ID: exec"];
    let response = exec
        .roundtrip(request("POST /api/v1/namespaces/default/pods/web/exec?command=sh", &upgrade))
        .unwrap();
    assert_eq!(response.status, 101);
    let events = world.audit();
    for (id, code) in [("watch", 200), ("exec", 101)] {
        let complete = events
            .iter()
            .find(|e| e.contains(&format!("\"auditID\":\"{id}\"")) && e.contains("ResponseComplete"));
        assert!(complete.unwrap().contains(&format!("\"code\":{code}")), "{id}");
    }
    let mut rest = Vec::new();
    assert_eq!(watch.stream().read_to_end(&mut rest).unwrap(), 5);
    assert_eq!(rest, b"0\r\n\r\n", "a clean end of the watch");
    assert_eq!(exec.stream().read_to_end(&mut rest).unwrap(), 0, "a farewell to the shell");
}
