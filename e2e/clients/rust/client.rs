//! What the matrix has kube-rs do; `../README.md` says what each word means.
//!
//! It speaks HTTP/1.1 unless a program brings a connector of its own, as this one does for HTTP/2,
//! and does exec over WebSocket only: `EXEC_OVER` changes nothing.
#![expect(clippy::print_stderr, reason = "what was wrong goes to standard error")]

use std::{
    collections::BTreeMap, env, error::Error, fmt::Debug, pin::pin, process::ExitCode, time::Duration,
};

use futures_util::TryStreamExt;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, rt::TokioExecutor};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client, Config,
    api::{AttachParams, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchParams},
    client::ConfigExt,
    core::WatchEvent,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceBuilder;

type Outcome = Result<(), Box<dyn Error>>;

const NAME: &str = "notes";

fn main() -> ExitCode {
    let word = env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&word))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{word}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(word: &str) -> Outcome {
    let config = Config::infer().await?;
    let http2 = env::var("HTTP_VERSION").is_ok_and(|version| version == "2");
    // A connection that is upgraded is one of HTTP/1.1.
    let client = if http2 && word != "exec" { over_http2(config)? } else { Client::try_from(config)? };
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client);
    match word {
        "create" => create(&maps).await,
        "list" => list(&maps).await,
        "watch" => watch(&maps).await,
        "patch" => patch(&maps).await,
        "logs" => logs(&pods).await,
        "exec" => exec(&pods).await,
        "idle" => idle(&pods).await,
        "delete" => delete(&maps).await,
        _ => Err("there is no such word".into()),
    }
}

/// A client that offers nothing but HTTP/2.
fn over_http2(config: Config) -> Result<Client, Box<dyn Error>> {
    let tls = config.rustls_client_config()?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http2().build();
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .service(legacy::Client::builder(TokioExecutor::new()).http2_only(true).build(connector));
    Ok(Client::new(service, config.default_namespace))
}

fn check<T: Copy + Debug + PartialEq>(found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}").into()) }
}

fn a(map: &ConfigMap) -> &str {
    map.data.as_ref().and_then(|data| data.get("a")).map_or("", String::as_str)
}

async fn set_to(maps: &Api<ConfigMap>, value: &str) -> Outcome {
    let patch = Patch::Merge(json!({"data": {"a": value}}));
    maps.patch(NAME, &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn create(maps: &Api<ConfigMap>) -> Outcome {
    let mut notes =
        ConfigMap { data: Some(BTreeMap::from([("a".into(), "1".into())])), ..ConfigMap::default() };
    notes.metadata.name = Some(NAME.into());
    check(a(&maps.create(&PostParams::default(), &notes).await?), "1")
}

async fn list(maps: &Api<ConfigMap>) -> Outcome {
    let found = maps.list(&ListParams::default()).await?;
    let notes = found.items.iter().find(|map| map.metadata.name.as_deref() == Some(NAME));
    check(notes.map(a), Some("1"))
}

async fn watch(maps: &Api<ConfigMap>) -> Outcome {
    let before = maps.list(&ListParams::default()).await?.metadata.resource_version.unwrap_or_default();
    set_to(maps, "2").await?;
    let mut events = pin!(maps.watch(&WatchParams::default().timeout(20), &before).await?);
    for (expected, next) in [("2", Some("3")), ("3", None)] {
        let Some(WatchEvent::Modified(map)) = events.try_next().await? else {
            return Err(format!("no event for {expected}").into());
        };
        check(a(&map), expected)?;
        if let Some(next) = next {
            set_to(maps, next).await?;
        }
    }
    Ok(())
}

async fn patch(maps: &Api<ConfigMap>) -> Outcome {
    set_to(maps, "4").await?;
    check(a(&maps.get(NAME).await?), "4")
}

async fn logs(pods: &Api<Pod>) -> Outcome {
    check(pods.logs("web", &LogParams::default()).await?.contains("ready"), true)
}

async fn exec(pods: &Api<Pod>) -> Outcome {
    let program = ["sh", "-c", "head -n 1; echo oops >&2; exit 3"];
    let mut running = pods.exec("web", program, &AttachParams::default().stdin(true)).await?;
    let no_stream = "a stream is missing";
    let status = running.take_status().ok_or(no_stream)?;
    let (mut stdin, mut stdout, mut stderr) = (
        running.stdin().ok_or(no_stream)?,
        running.stdout().ok_or(no_stream)?,
        running.stderr().ok_or(no_stream)?,
    );
    stdin.write_all(b"typed\n").await?;
    let (mut output, mut errors) = (String::new(), String::new());
    stdout.read_to_string(&mut output).await?;
    stderr.read_to_string(&mut errors).await?;
    check((output.as_str(), errors.as_str()), ("typed\n", "oops\n"))?;
    let causes = status.await.and_then(|status| status.details).and_then(|details| details.causes);
    let exit = causes.as_deref().and_then(|causes| causes.first()).and_then(|cause| cause.message.as_deref());
    check(exit, Some("3"))
}

async fn idle(pods: &Api<Pod>) -> Outcome {
    let mut running = pods.exec("web", ["cat"], &AttachParams::default().stdin(true).stderr(false)).await?;
    let (mut stdin, mut stdout) = running.stdin().zip(running.stdout()).ok_or("a stream is missing")?;
    tokio::time::sleep(Duration::from_secs_f64(env::var("IDLE_SECONDS")?.parse()?)).await;
    stdin.write_all(b"typed\n").await?;
    let mut echoed = [0; 6];
    stdout.read_exact(&mut echoed).await?;
    check(&echoed, b"typed\n")
}

async fn delete(maps: &Api<ConfigMap>) -> Outcome {
    maps.delete(NAME, &DeleteParams::default()).await?;
    check(maps.get_opt(NAME).await?.is_none(), true)
}
