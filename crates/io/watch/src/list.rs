//! RBAC objects, listed once: for those who look at a cluster rather than guard it.

use std::{fmt::Debug, sync::Arc, time::Duration};

use authz::rbac::RbacObject;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
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
}

/// All roles and bindings of a cluster, within a tokio runtime.
///
/// # Errors
/// At the first kind that cannot be listed in full: a part of the objects would make a wrong answer.
pub async fn list_rbac(upstream: Arc<Upstream>) -> Result<Vec<RbacObject>, ListError> {
    let service = OwnService::new(Pool::new(upstream, IdentityHeaders::default()));
    let client = Client::new(service, "default");
    let mut objects = Vec::new();
    list::<ClusterRole>(&client, &mut objects).await?;
    list::<Role>(&client, &mut objects).await?;
    list::<ClusterRoleBinding>(&client, &mut objects).await?;
    list::<RoleBinding>(&client, &mut objects).await?;
    Ok(objects)
}

async fn list<K>(client: &Client, objects: &mut Vec<RbacObject>) -> Result<(), ListError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    RbacObject: From<K>,
{
    let api: Api<K> = Api::all(client.clone());
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let failed =
            |reason: String| ListError { resource: format!("{}.{}", K::plural(&()), K::group(&())), reason };
        let listed = match tokio::time::timeout(PAGE_WITHIN, api.list(&page)).await {
            Ok(Ok(listed)) => listed,
            Ok(Err(kube::Error::Api(status))) => return Err(failed(status.message.clone())),
            Ok(Err(kube::Error::Service(error))) => return Err(failed(error.to_string())),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("no answer within {PAGE_WITHIN:?}"))),
        };
        objects.extend(listed.items.into_iter().map(RbacObject::from));
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}
