//! Authorization webhooks for runners: real ones, over TLS, that answer as a case says.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use config::{
    authorization::{self, Authorizer, AuthorizerKind},
    kubeconfig,
};
use parking_lot::Mutex;
use remote::{Remote, Webhook, WebhookSettings};
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{Folder, Message, Reply, Upstream};
use tokio::runtime::{Builder, Runtime};
use types::{Answers, Step, Timestamp};

/// What to answer to one attempt.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GivenResponse {
    status: u16,
    body: Option<Value>,
    raw: Option<String>,
    delay_ms: u64,
    close_without_answer: bool,
}

impl GivenResponse {
    fn reply(&self) -> Reply {
        if self.close_without_answer {
            return Reply::Reset;
        }
        // The webhook is slow: that is what such a case is about.
        thread::sleep(Duration::from_millis(self.delay_ms));
        let body = self.body.as_ref().map(Value::to_string).or_else(|| self.raw.clone()).unwrap_or_default();
        Reply::json(self.status, &body)
    }
}

/// What one webhook answers, and what it was asked.
#[derive(Default)]
struct Script {
    responses: Vec<GivenResponse>,
    asked: Vec<Message>,
}

/// One server for all cases; a webhook is told from another by its path.
struct Server {
    _upstream: Upstream,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
    kubeconfig: PathBuf,
    _folder: Folder,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let scripts: Arc<Mutex<HashMap<String, Script>>> = Arc::default();
    let upstream = Upstream::start({
        let scripts = Arc::clone(&scripts);
        move |message| {
            let path = message.line.split(['?', ' ']).nth(1).unwrap_or_default().to_owned();
            let mut scripts = scripts.lock();
            let script = scripts.entry(path).or_default();
            let response = script.responses.get(script.asked.len()).or(script.responses.last()).cloned();
            script.asked.push(message.clone());
            drop(scripts);
            response.unwrap_or_default().reply()
        }
    });
    let folder = Folder::new();
    let kubeconfig = folder.write("webhook.yaml", upstream.kubeconfig());
    Server { _upstream: upstream, scripts, kubeconfig, _folder: folder }
});

/// Says what the webhook `name` answers from now on.
pub(crate) fn answers(name: &str, responses: Vec<GivenResponse>) {
    SERVER.scripts.lock().insert(path(name), Script { responses, asked: Vec::new() });
}

/// What the webhook `name` was asked since.
pub(crate) fn asked(name: &str) -> Vec<Message> {
    SERVER.scripts.lock().get(&path(name)).map(|script| script.asked.clone()).unwrap_or_default()
}

fn path(name: &str) -> String {
    format!("/{name}")
}

/// `webhook` of a case, a member of an AuthorizationConfiguration without its connection: the authorizer that
/// asks the server, and the client that it asks through.
pub(crate) fn webhook(name: &str, webhook: &Value) -> Result<(authz::webhook::Webhook, Webhook), String> {
    let mut webhook = webhook.as_object().cloned().ok_or("the webhook is no object")?;
    let connection =
        json!({"type": "KubeConfigFile", "kubeConfigFile": SERVER.kubeconfig.display().to_string()});
    webhook.insert("connectionInfo".to_owned(), connection);
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": [{"type": "Webhook", "name": name, "webhook": webhook}],
    });
    let parsed = authorization::parse("case", configuration.to_string().as_bytes());
    let authorizer = parsed.map_err(|error| error.to_string())?.into_iter().next();
    let Some(Authorizer { kind: AuthorizerKind::Webhook(configuration), .. }) = authorizer else {
        return Err("no webhook".to_owned());
    };
    let (access, _) = kubeconfig::load_webhook(&SERVER.kubeconfig).map_err(|error| error.to_string())?;
    let settings = WebhookSettings {
        path: &path(name),
        // The cases were recorded with this.
        retry_after: Duration::from_millis(1),
        ..WebhookSettings::of(name, &configuration, &access, "/")
    };
    let client = Webhook::new(&settings).map_err(|error| error.to_string())?;
    Ok((configuration.into_authorizer(name), client))
}

/// Drives decisions that ask these webhooks alone, as the gate drives them.
pub(crate) struct Driver {
    runtime: Runtime,
    remote: Remote,
}

impl Driver {
    pub(crate) fn new(webhooks: Vec<Webhook>) -> Result<Self, String> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let remote = Remote::new(Nobody, runtime.handle().clone()).with_webhooks(webhooks);
        Ok(Self { runtime, remote })
    }

    pub(crate) fn drive<T>(
        &self,
        now: Timestamp,
        decide: impl FnMut(&Answers) -> Step<T>,
    ) -> Result<T, String> {
        let driven = self.runtime.block_on(remote::drive(&self.remote, now, decide));
        driven.map_err(|error| error.to_string())
    }
}

/// No object is looked up in these cases.
struct Nobody;

impl remote::ObjectSource for Nobody {
    fn get<'a>(
        &'a self,
        _: &'a types::ObjectRef,
    ) -> std::pin::Pin<Box<dyn Future<Output = types::Answer> + Send + 'a>> {
        Box::pin(async { types::Answer::Failed("no object is looked up here".to_owned()) })
    }
}
