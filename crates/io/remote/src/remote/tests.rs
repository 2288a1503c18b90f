use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;
use types::{Answers, ObjectFacts, ObjectKind, Step};

use super::*;
use crate::{TooManyQuestions, drive, drive_confirmed, drive_on};

/// Answers what it is told to, when it is told to.
#[derive(Default)]
struct Told {
    asked: AtomicUsize,
    answer: Mutex<Option<Answer>>,
    changed: Notify,
}

impl Told {
    fn tell(&self, answer: Answer) {
        *self.answer.lock() = Some(answer);
        self.changed.notify_waiters();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct Source(Arc<Told>);

impl ObjectSource for Source {
    fn get<'a>(&'a self, _: &'a ObjectRef) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async {
            self.0.asked.fetch_add(1, Ordering::SeqCst);
            loop {
                let changed = self.0.changed.notified();
                if let Some(answer) = self.0.answer.lock().clone() {
                    return answer;
                }
                changed.await;
            }
        })
    }
}

fn setup() -> (Arc<Told>, Remote) {
    let told = Arc::new(Told::default());
    let remote = Remote::new(Source(Arc::clone(&told)), Handle::current());
    (told, remote)
}

fn question() -> Question {
    Question::Object(ObjectRef { kind: ObjectKind::Node, namespace: String::new(), name: "n".into() })
}

fn exists(uid: &str) -> Answer {
    Answer::Object(ObjectFacts { uid: uid.into(), ..ObjectFacts::default() })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// A decision that is the answer to one question.
fn answer(answers: &Answers) -> Step<Answer> {
    answers.get(&question()).map_or_else(|| Step::Ask(question()), |answer| Step::Done(answer.clone()))
}

#[tokio::test]
async fn remembers_for_ten_seconds() {
    let (told, remote) = setup();
    for (known, second, expected, asked) in [
        (exists("a"), 0, exists("a"), 1),
        (exists("b"), 10, exists("a"), 1),
        (exists("b"), 11, exists("b"), 2),
        (Answer::NotFound, 22, Answer::NotFound, 3),
        (exists("c"), 30, Answer::NotFound, 3),
        // The clock was set back.
        (exists("c"), 5, exists("c"), 4),
        (Answer::Failed("x".into()), 20, Answer::Failed("x".into()), 5),
        (exists("d"), 20, exists("d"), 6),
    ] {
        told.tell(known);
        assert_eq!(drive(&remote, at(second), answer).await, Ok(expected), "at {second}");
        assert_eq!(told.asked(), asked, "at {second}");
    }
    remote.forget();
    drive(&remote, at(20), answer).await.unwrap();
    assert_eq!(told.asked(), 7);
}

#[tokio::test]
async fn a_refusal_does_not_rest_on_what_was_before_the_request() {
    let (told, remote) = setup();
    let drive = |time| drive_confirmed(&remote, time, |answer| *answer == exists("old"), answer);
    let a_moment = Duration::from_nanos(1);
    told.tell(exists("old"));
    assert_eq!(drive(at(0)).await, Ok(exists("old")));
    told.tell(exists("new"));
    // The same moment: what was looked up for the other is as new as can be.
    assert_eq!(drive(at(0)).await, Ok(exists("old")));
    assert_eq!(told.asked(), 1);
    assert_eq!(drive(at(0) + a_moment).await, Ok(exists("new")));
    assert_eq!(told.asked(), 2);
    assert_eq!(drive(at(9)).await, Ok(exists("new")));
    assert_eq!(told.asked(), 2);
}

#[tokio::test]
async fn a_refusal_does_not_rest_on_what_was_under_way() {
    let (told, remote) = setup();
    let ask = |time| {
        let remote = remote.clone();
        async move { drive_confirmed(&remote, time, |answer| *answer == exists("old"), answer).await }
    };
    let first = tokio::spawn(ask(at(0)));
    while told.asked() == 0 {
        tokio::task::yield_now().await;
    }
    // It joins the first, which is told what was true before it came.
    let second = tokio::spawn(ask(at(1)));
    tokio::task::yield_now().await;
    told.tell(exists("old"));
    assert_eq!(first.await.unwrap(), Ok(exists("old")));
    told.tell(exists("new"));
    assert_eq!(second.await.unwrap(), Ok(exists("new")));
    assert_eq!(told.asked(), 2);
}

/// Refusals that all want a fresh answer share look-ups, of which there are few.
#[tokio::test(start_paused = true)]
async fn refusals_do_not_flood_the_api_server() {
    let (told, remote) = setup();
    told.tell(exists("old"));
    let began = Instant::now();
    for second in 0..10 {
        let ask = |remote: Remote, nanos| async move {
            let now = at(second) + Duration::from_nanos(nanos);
            drive_confirmed(&remote, now, |answer| *answer == exists("old"), answer).await
        };
        let waiting: Vec<_> = (0..100).map(|nanos| tokio::spawn(ask(remote.clone(), nanos))).collect();
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(exists("old")));
        }
    }
    let most = began.elapsed().as_millis() / PAUSE.as_millis() + 1;
    assert!(told.asked() as u128 <= most, "{} look-ups, {most} at most", told.asked());
    assert!((2..=11).contains(&told.asked()), "{} look-ups", told.asked());
}

#[tokio::test]
async fn asks_once_for_all_who_wait() {
    let (told, remote) = setup();
    let ask = |remote: Remote| async move { drive(&remote, at(0), answer).await };
    let waiting: Vec<_> = (0..20).map(|_| tokio::spawn(ask(remote.clone()))).collect();
    // One gives up; the others still get their answer.
    tokio::task::yield_now().await;
    waiting[0].abort();
    told.tell(exists("a"));
    for (index, one) in waiting.into_iter().enumerate() {
        match one.await {
            Ok(result) => assert_eq!(result, Ok(exists("a"))),
            Err(error) => assert!(index == 0 && error.is_cancelled()),
        }
    }
    assert_eq!(told.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_ever() {
    let (told, remote) = setup();
    let result = drive(&remote, at(0), answer).await;
    assert_eq!(result, Ok(Answer::Failed("no answer within 5s".into())));
    // The next one asks anew.
    told.tell(exists("a"));
    assert_eq!(drive(&remote, at(0), answer).await, Ok(exists("a")));
}

#[tokio::test]
async fn ends_a_decision_that_does_not() {
    let (told, remote) = setup();
    told.tell(Answer::NotFound);
    let again = drive(&remote, at(0), |_| Step::<()>::Ask(question())).await;
    assert_eq!(again, Err(TooManyQuestions(8)));
    let more = drive(&remote, at(0), |answers| {
        let name = answers.len().to_string();
        Step::<()>::Ask(Question::Object(ObjectRef {
            kind: ObjectKind::Node,
            namespace: String::new(),
            name,
        }))
    });
    assert_eq!(more.await, Err(TooManyQuestions(8)));
    let many = drive_on(None, Some(20), &remote, at(0), |answers| match answers.len() {
        20 => Step::Done(()),
        number => Step::Ask(Question::Object(ObjectRef {
            kind: ObjectKind::Node,
            namespace: String::new(),
            name: number.to_string(),
        })),
    });
    assert_eq!(many.await, Ok(()));
}

#[tokio::test]
async fn a_decision_that_was_run_goes_on_with_its_answer() {
    let (told, remote) = setup();
    told.tell(Answer::NotFound);
    let mut runs = 0;
    let goes_on = drive_on(Some(question()), None, &remote, at(0), |answers| {
        runs += 1;
        Step::Done(answers.get(&question()).cloned())
    });
    assert_eq!(goes_on.await, Ok(Some(Answer::NotFound)));
    assert_eq!(runs, 1);
}
