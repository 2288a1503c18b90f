use tokio::io::duplex;

use super::*;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn syn(id: u32, flags: u8, headers: &[(&str, &str)], writer: &mut headers::Writer) -> Vec<u8> {
    let mut payload = [id.to_be_bytes(), [0; 4]].concat();
    payload.extend_from_slice(&[0, 0]);
    payload.extend(writer.write(headers).unwrap());
    let mut frame = frame::control(SYN_STREAM, &payload);
    frame[4] = flags;
    frame
}

/// How a client ends that sends these bytes and hangs up, and how many streams it opened.
async fn ended(bytes: Vec<u8>) -> (String, usize) {
    let Session { listener, teller: Teller { mut control, .. } } = Session::new();
    let (open, mut opened) = mpsc::channel::<Stream>(8);
    let count = async {
        let mut count = 0;
        while opened.recv().await.is_some() {
            count += 1;
        }
        count
    };
    let drained = async { while control.recv().await.is_some() {} };
    let (ended, count, ()) = tokio::join!(listener.listen(bytes.as_slice(), open), count, drained);
    (ended.to_string(), count)
}

#[test]
fn a_stream_is_opened_used_and_closed() {
    block_on(async {
        let (mut client, server) = duplex(1 << 16);
        let (reader, mut writer) = tokio::io::split(server);
        let Session { listener, teller } = Session::new();
        let (open, mut opened) = mpsc::channel::<Stream>(8);
        let (to, chunks) = mpsc::channel(8);
        let mut compress = headers::Writer::new();
        let mut sent = syn(1, 0, &[("streamType", "stdin")], &mut compress);
        sent.extend(frame::control(PING, &7_u32.to_be_bytes()));
        sent.extend(frame::control(4, &[0; 4]));
        sent.extend(frame::data(1, FIN, 5));
        sent.extend(b"hello");
        client.write_all(&sent).await.unwrap();
        let program = async {
            let mut stream = opened.recv().await.unwrap();
            assert_eq!((stream.id, stream.header("streamtype")), (1, "stdin"));
            let mut read = Vec::new();
            while let Some(bytes) = stream.input.recv().await {
                read.extend_from_slice(&bytes);
            }
            assert_eq!(read, b"hello");
            to.send(Chunk { stream: 1, bytes: "world".into(), last: true }).await.unwrap();
            drop(to);
        };
        let ((), told) = tokio::select! {
            done = async { tokio::join!(program, teller.tell(&mut writer, chunks)) } => done,
            ended = listener.listen(reader, open) => panic!("{ended}"),
        };
        told.unwrap();
        let mut head = [0; 8];
        client.read_exact(&mut head).await.unwrap();
        let Head::Control { kind: SYN_REPLY, length, .. } = Head::read(head).unwrap() else {
            panic!("{head:?}")
        };
        let mut payload = vec![0; length];
        client.read_exact(&mut payload).await.unwrap();
        assert_eq!(headers::Reader::new().read(&payload[4..]).unwrap(), []);
        let mut pong = [0; 12];
        client.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong.as_slice(), frame::control(PING, &7_u32.to_be_bytes()));
        let mut data = [0; 13];
        client.read_exact(&mut data).await.unwrap();
        assert_eq!(data[..8], frame::data(1, FIN, 5));
        assert_eq!(&data[8..], b"world");
    });
}

#[test]
fn no_frame_breaks_it() {
    block_on(async {
        let cut_off = "early eof";
        let mut compress = headers::Writer::new();
        let good = syn(3, FIN, &[("a", "b")], &mut compress);
        let before = syn(1, FIN, &[("a", "b")], &mut compress);
        let even = syn(2, 0, &[], &mut headers::Writer::new());
        for (bytes, expected, streams) in [
            (vec![], cut_off, 0),
            (vec![0; 7], cut_off, 0),
            (good.clone(), cut_off, 1),
            ([good.clone(), before].concat(), "a stream whose number was not next", 1),
            (even, "a stream whose number was not next", 0),
            (frame::control(SYN_STREAM, &[0; 9]), "a SYN_STREAM that is cut off", 0),
            (frame::control(SYN_STREAM, &[0, 0, 0, 1, 0]), "a SYN_STREAM that is cut off", 0),
            (frame::control(PING, &[]), "a frame that is cut off", 0),
            (frame::control(RST_STREAM, &[1]), "a frame that is cut off", 0),
            (frame::control(GOAWAY, &[0; 8]), "the client is gone", 0),
            (frame::control(99, b"whatever"), cut_off, 0),
            (vec![0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff], "a control frame that is too long", 0),
            (vec![0xff; 64], "a frame of another version", 0),
            (frame::data(5, 0, 0xff_ffff).to_vec(), "the client is gone", 0),
            (frame::control(HEADERS, &[0; 40]), "a header block that cannot be decompressed", 0),
        ] {
            assert_eq!(ended(bytes.clone()).await, (expected.to_owned(), streams), "{bytes:?}");
        }
    });
}

#[test]
fn streams_are_bounded() {
    block_on(async {
        let mut compress = headers::Writer::new();
        let many: Vec<u8> = (0..600).flat_map(|n| syn(2 * n + 1, 0, &[("n", "v")], &mut compress)).collect();
        let Session { listener, mut teller } = Session::new();
        let (open, mut opened) = mpsc::channel::<Stream>(8);
        let keep = async {
            let mut kept = Vec::new();
            while let Some(stream) = opened.recv().await {
                kept.push(stream);
            }
            kept.len()
        };
        let refused = async {
            let mut refused = 0;
            while let Some(control) = teller.control.recv().await {
                refused += usize::from(matches!(control, Control::Refuse(_)));
            }
            refused
        };
        let (_, kept, refused) = tokio::join!(listener.listen(many.as_slice(), open), keep, refused);
        assert_eq!((kept, refused), (STREAMS, 88));
    });
}
