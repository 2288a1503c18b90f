//! Facts that an explanation or a replay may need from outside.

use std::{future::Future, pin::Pin};

use gate::explain::Facts;
use remote::{ObjectSource, Remote, UpstreamObjects, Webhook};
use tokio::runtime::Runtime;
use types::{
    AccessFailure, AccessReview, AccessStatus, Answer, Answers, FailureClass, ObjectKind, ObjectRef,
    Question, Step, Timestamp,
};
use upstream::{IdentityHeaders, Pool};

use super::world::{self, Source};
use crate::exit::Failure;

/// Whether webhooks are asked.
#[derive(clap::Args, Clone, Copy)]
pub(super) struct AskWebhooks {
    /// Ask the authorization webhooks, as the gate would; they may count, log or alarm
    #[arg(long)]
    pub(super) ask_webhooks: bool,
}

/// The gate's own clients, and a runtime for them.
pub(super) struct Outside {
    runtime: Runtime,
    remote: Remote,
    asks_webhooks: bool,
}

impl Outside {
    /// Objects of the cluster, if one is named, and the answers of these webhooks, if they are to be asked.
    pub(super) fn new(source: &Source, ask: AskWebhooks, webhooks: Vec<Webhook>) -> Result<Self, Failure> {
        let runtime = world::runtime()?;
        let objects = match source.is_live() {
            false => None,
            true => {
                let pool = Pool::new(source.upstream()?, IdentityHeaders::default());
                Some(UpstreamObjects::new(pool))
            }
        };
        let remote = Remote::new(Objects(objects), runtime.handle().clone());
        let asks_webhooks = ask.ask_webhooks;
        let webhooks = if asks_webhooks { webhooks } else { Vec::new() };
        Ok(Self { runtime, remote: remote.with_webhooks(webhooks), asks_webhooks })
    }

    /// Who answers questions.
    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Where questions are asked.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Whoever asks for one fact makes a decision that consists of it.
    fn find(&self, question: &Question) -> Answer {
        let decide = |answers: &Answers| match answers.get(question) {
            Some(answer) => Step::Done(answer.clone()),
            None => Step::Ask(question.clone()),
        };
        let found = self.runtime.block_on(remote::drive(&self.remote, Timestamp::now(), decide));
        found.unwrap_or_else(|error| Answer::Failed(error.to_string()))
    }
}

impl Facts for Outside {
    fn object(&mut self, object: &ObjectRef) -> Answer {
        self.find(&Question::Object(object.clone()))
    }

    fn access(&mut self, review: &AccessReview) -> Option<Result<AccessStatus, AccessFailure>> {
        if !self.asks_webhooks {
            return None;
        }
        Some(match self.find(&Question::Access(review.clone())) {
            Answer::Access(said) => said,
            other => {
                let message = format!("the answer is that to another question: {other:?}").into();
                Err(AccessFailure { class: FailureClass::Response, message })
            }
        })
    }
}

/// The objects of a cluster, if there is one.
struct Objects(Option<UpstreamObjects>);

impl ObjectSource for Objects {
    fn get<'a>(&'a self, object: &'a ObjectRef) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        match &self.0 {
            _ if object.kind == ObjectKind::Secret => Box::pin(async {
                Answer::Failed("the token depends on a Secret, and explain never reads one".to_owned())
            }),
            Some(objects) => objects.get(object),
            None => Box::pin(async {
                let ObjectRef { kind, name, .. } = object;
                Answer::Failed(format!("the token depends on {kind:?} {name}, and no cluster is named"))
            }),
        }
    }
}
