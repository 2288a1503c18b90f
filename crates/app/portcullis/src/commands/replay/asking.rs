//! Requests that hang on webhooks, some at a time.

use std::sync::Arc;

use tokio::task::JoinSet;
use trail::{Case, Judged, Replay as Run, Setting};
use types::{Answer, Answers, Question, Step, Timestamp};

use crate::{commands::outside::Outside, exit::Failure};

/// How many requests wait for webhooks at a time: those are guests on machines that serve a cluster.
const AT_A_TIME: usize = 32;

/// As many questions as the gate lets one request ask.
const MAX_QUESTIONS: usize = 256;

/// Asks webhooks about requests, by the gate's own client and with its memory.
pub(super) struct Asking {
    outside: Outside,
    setting: Arc<Setting>,
    waiting: JoinSet<Judgement>,
}

/// A request that has been judged, and what webhooks said to it: nothing, or why they gave no answer.
struct Judgement {
    case: Case,
    judged: Judged,
    said: Vec<(Arc<str>, Option<Arc<str>>)>,
}

impl Asking {
    pub(super) fn new(outside: Outside, setting: Arc<Setting>) -> Self {
        Self { outside, setting, waiting: JoinSet::new() }
    }

    /// Takes a request that has asked this; where too many wait already, another has to be done first.
    pub(super) fn hand_over(&mut self, case: Case, asked: Question, run: &mut Run) -> Result<(), Failure> {
        while self.waiting.len() >= AT_A_TIME {
            self.count_next(run)?;
        }
        let (setting, remote) = (Arc::clone(&self.setting), self.outside.remote().clone());
        let judging = async move {
            let mut said = Vec::new();
            let now = Timestamp::now();
            let judge = |answers: &Answers| {
                let step = case.judge(&setting, now, answers);
                if let Step::Done(_) = &step {
                    said = answers.iter().filter_map(consulted).collect();
                }
                step
            };
            // The gate answers 500 to what does not come to an end.
            let judged = remote::drive_on(Some(asked), Some(MAX_QUESTIONS), &remote, now, judge).await;
            let judged = judged.unwrap_or_else(|_| Judged::Refused(case.group()));
            Judgement { case, judged, said }
        };
        self.waiting.spawn_on(judging, self.outside.runtime().handle());
        Ok(())
    }

    /// Waits for all.
    pub(super) fn finish(mut self, run: &mut Run, mut told: impl FnMut(&Run)) -> Result<(), Failure> {
        while !self.waiting.is_empty() {
            self.count_next(run)?;
            told(run);
        }
        Ok(())
    }

    fn count_next(&mut self, run: &mut Run) -> Result<(), Failure> {
        let Some(done) = self.outside.runtime().block_on(self.waiting.join_next()) else { return Ok(()) };
        let Judgement { case, judged, said } = done.map_err(Failure::could_not_run)?;
        said.iter().for_each(|(webhook, failure)| run.consulted(webhook, failure.as_deref()));
        run.count(&case, judged);
        Ok(())
    }
}

fn consulted((question, answer): (&Question, &Answer)) -> Option<(Arc<str>, Option<Arc<str>>)> {
    match (question, answer) {
        (Question::Access(review), Answer::Access(said)) => {
            let failure = said.as_ref().err().map(|failure| Arc::clone(&failure.message));
            Some((Arc::clone(&review.webhook), failure))
        }
        _ => None,
    }
}
