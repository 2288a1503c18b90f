//! The objects that authorizers decide by, listed once: for those who look at a cluster rather than guard it.

use std::{fmt::Debug, sync::Arc, time::Duration};

use authz::{node::NodeObject, rbac::RbacObject};
use k8s_openapi::api::{
    certificates::v1beta1::PodCertificateRequest,
    core::v1::{PersistentVolume, Pod},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    resource::v1::ResourceSlice,
    storage::v1::VolumeAttachment,
};
use kube::{Api, Client, Resource, api::ListParams};
use serde::de::DeserializeOwned;
use upstream::{IdentityHeaders, OwnService, Pool, Upstream};

/// Objects asked for at a time.
const PAGE: u32 = 500;

/// How long one page may take.
const PAGE_WITHIN: Duration = Duration::from_secs(30);

/// A kind could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list {resource}: {reason}")]
pub struct ListError {
    /// `clusterroles.rbac.authorization.k8s.io`
    pub resource: String,
    /// The server's own sentence where there is one.
    pub reason: String,
    /// Whether the server does not know the resource at all.
    pub is_not_served: bool,
}

/// All roles and bindings of a cluster, within a tokio runtime.
///
/// # Errors
/// At the first kind that cannot be listed in full: a part of the objects would make a wrong answer.
pub async fn list_rbac(upstream: Arc<Upstream>) -> Result<Vec<RbacObject>, ListError> {
    let client = client(upstream);
    let mut objects = Vec::new();
    list::<ClusterRole, _>(&client, &mut objects).await?;
    list::<Role, _>(&client, &mut objects).await?;
    list::<ClusterRoleBinding, _>(&client, &mut objects).await?;
    list::<RoleBinding, _>(&client, &mut objects).await?;
    Ok(objects)
}

/// Everything that a Node authorizer decides by, within a tokio runtime.
///
/// # Errors
/// As [`list_rbac`]; kinds other than Pod that the server does not serve have no objects.
pub async fn list_node(upstream: Arc<Upstream>) -> Result<Vec<NodeObject>, ListError> {
    let client = client(upstream);
    let mut objects = Vec::new();
    list::<Pod, _>(&client, &mut objects).await?;
    list_if_served::<PersistentVolume>(&client, &mut objects).await?;
    list_if_served::<VolumeAttachment>(&client, &mut objects).await?;
    list_if_served::<ResourceSlice>(&client, &mut objects).await?;
    list_if_served::<PodCertificateRequest>(&client, &mut objects).await?;
    Ok(objects)
}

fn client(upstream: Arc<Upstream>) -> Client {
    Client::new(OwnService::new(Pool::new(upstream, IdentityHeaders::default())), "default")
}

async fn list_if_served<K>(client: &Client, objects: &mut Vec<NodeObject>) -> Result<(), ListError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    NodeObject: From<K>,
{
    match list::<K, _>(client, objects).await {
        Err(error) if error.is_not_served => Ok(()),
        other => other,
    }
}

async fn list<K, O>(client: &Client, objects: &mut Vec<O>) -> Result<(), ListError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    O: From<K>,
{
    let api: Api<K> = Api::all(client.clone());
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let failed = |reason: String| ListError {
            resource: format!("{}.{}", K::plural(&()), K::group(&())),
            reason,
            is_not_served: false,
        };
        let listed = match tokio::time::timeout(PAGE_WITHIN, api.list(&page)).await {
            Ok(Ok(listed)) => listed,
            Ok(Err(kube::Error::Api(status))) => {
                return Err(ListError {
                    is_not_served: status.code == 404,
                    ..failed(status.message.clone())
                });
            }
            Ok(Err(kube::Error::Service(error))) => return Err(failed(error.to_string())),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("no answer within {PAGE_WITHIN:?}"))),
        };
        objects.extend(listed.items.into_iter().map(O::from));
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}
