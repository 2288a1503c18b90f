//! Runs a decision until it no longer asks.

use std::time::Duration;

use types::{Answers, Question, Step, Timestamp};

use crate::remote::{MAX_AGE, Remote};

/// A decision asked more questions than any decision has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a decision asked more than {0} questions")]
pub struct TooManyQuestions(pub usize);

/// Runs `decide` at `now`, answering what it asks, until it is done. It is run once for each
/// question and once more; side effects have no place in it.
pub async fn drive<T>(
    remote: &Remote,
    now: Timestamp,
    decide: impl FnMut(&Answers) -> Step<T>,
) -> Result<T, TooManyQuestions> {
    drive_on(None, None, remote, now, decide).await
}

/// As [`drive`], for a decision that has been run once and asked `asked`, if it did, and may ask `most`
/// questions, or as many as [`drive`] lets it.
pub async fn drive_on<T>(
    asked: Option<Question>,
    most: Option<usize>,
    remote: &Remote,
    now: Timestamp,
    decide: impl FnMut(&Answers) -> Step<T>,
) -> Result<T, TooManyQuestions> {
    let most = most.unwrap_or_else(|| remote.most_questions());
    run(asked, most, remote, now, MAX_AGE, decide).await.map(|(result, _)| result)
}

/// As [`drive`], but a result that is `doubtful` is not given if it rests on answers from before
/// `now`, the time of the request: they are looked up again, and the decision is made anew.
///
/// For authentication, where a refusal is doubtful: when a pod of a StatefulSet or an account is
/// created anew under its old name, its token is good at once. What this costs the API server is
/// bounded by [`Remote`]: all who wait share a look-up, and the next one of the same object has to
/// wait its time.
pub async fn drive_confirmed<T>(
    remote: &Remote,
    now: Timestamp,
    doubtful: impl Fn(&T) -> bool,
    mut decide: impl FnMut(&Answers) -> Step<T>,
) -> Result<T, TooManyQuestions> {
    let (result, as_of) = run(None, remote.most_questions(), remote, now, MAX_AGE, &mut decide).await?;
    // A time after `now` is of a clock that has been set back since, or of one who came later and
    // shared the look-up.
    if as_of.is_some_and(|then| then != now) && doubtful(&result) {
        return run(None, remote.most_questions(), remote, now, Duration::ZERO, decide)
            .await
            .map(|(result, _)| result);
    }
    Ok(result)
}

async fn run<T>(
    asked: Option<Question>,
    most: usize,
    remote: &Remote,
    now: Timestamp,
    max_age: Duration,
    mut decide: impl FnMut(&Answers) -> Step<T>,
) -> Result<(T, Option<Timestamp>), TooManyQuestions> {
    let mut answers = Answers::none();
    let mut asked = asked.map(Step::Ask);
    loop {
        match asked.take().unwrap_or_else(|| decide(&answers)) {
            Step::Done(result) => return Ok((result, answers.as_of())),
            // A question that comes back although it was answered would come back for ever.
            Step::Ask(question) if answers.len() < most && answers.get(&question).is_none() => {
                let (answer, as_of) = remote.ask(&question, now, max_age).await;
                answers.give_as_of(question, answer, as_of);
            }
            Step::Ask(_) => return Err(TooManyQuestions(most)),
        }
    }
}
