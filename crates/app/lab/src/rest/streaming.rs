//! `pods/exec`, `pods/attach` and `pods/portforward`.

use std::sync::Arc;

use serde_json::Value;
use types::Status;

use super::{Call, Content, Reply, failure::bad_request, read::fetch, route::Target};
use crate::{
    object::{list, text},
    registry::Streaming,
    streams::{self, Wants, Work},
};

pub(super) fn open(call: &Call<'_>, target: &Target, streaming: Streaming) -> Result<Reply, Status> {
    let pod = fetch(call, target)?;
    let name = match streaming {
        // UPSTREAM: ports belong to the pod, whatever its containers (kube-apiserver 1.36)
        Streaming::PortForward => list(&pod, "/spec/containers").first().map(|c| text(c, "/name").to_owned()),
        Streaming::Exec | Streaming::Attach => Some(container(call, &pod, target.name())?.to_owned()),
    };
    let name = name.unwrap_or_default();
    if text(&pod, "/spec/nodeName").is_empty() {
        return Err(bad_request(format!("pod {} does not have a host assigned", target.name())));
    }
    let wants = Wants {
        stdin: call.query.flag("stdin"),
        stdout: call.query.flag("stdout"),
        stderr: call.query.flag("stderr"),
        tty: call.query.flag("tty"),
    };
    let work = match streaming {
        Streaming::Exec => {
            let words = call.query.all("command").into_iter().map(str::to_owned).collect();
            Work::Exec(words, wants)
        }
        Streaming::Attach => Work::Attach(wants),
        Streaming::PortForward => {
            let ports = call.query.all("ports").into_iter().flat_map(|ports| ports.split(','));
            Work::PortForward(ports.filter_map(|port| port.parse().ok()).collect())
        }
    };
    let asks_for_nothing = !(wants.stdin || wants.stdout || wants.stderr);
    if asks_for_nothing && streaming != Streaming::PortForward {
        return Err(bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    let Some(upgrade) = call.upgrade.lock().take() else {
        return Err(bad_request("Upgrade request required"));
    };
    let containers = call.api.containers();
    let container = containers.of(call.api, &pod, &name);
    let container = container.ok_or_else(|| bad_request(format!("container not found ({name:?})")))?;
    container.refresh(call.api, &pod);
    let stopping = call.api.stopping.clone();
    let headers = streams::open(Arc::clone(&container), work, upgrade, stopping)?;
    Ok(Reply { code: 101, content: Content::TurnedOver(headers), warnings: Vec::new() })
}

/// The container that is meant: the only one, or the one that is named.
pub(super) fn container<'a>(call: &Call<'_>, pod: &'a Value, pod_name: &str) -> Result<&'a str, Status> {
    let names: Vec<&str> =
        list(pod, "/spec/containers").iter().map(|container| text(container, "/name")).collect();
    match (call.query.first("container"), names.as_slice()) {
        ("", [only]) => Ok(*only),
        ("", many) => Err(bad_request(format!(
            "a container name must be specified for pod {pod_name}, choose one of: [{}]",
            many.join(" ")
        ))),
        (asked, names) => names
            .iter()
            .find(|name| **name == asked)
            .copied()
            .ok_or_else(|| bad_request(format!("container {asked} is not valid for pod {pod_name}"))),
    }
}
