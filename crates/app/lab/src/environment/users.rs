//! Who the lab knows at first: one of each kind that the scenarios need.

use std::path::Path;

use types::{Secret, Timestamp};

use super::{
    files,
    kubeconfig::{Proof, kubeconfig},
    pki::{Issue, Pki, PkiError, Subject},
};

/// A user with a client certificate.
#[derive(Clone, Copy, Debug)]
pub struct SeededUser {
    /// The name of the kubeconfig file.
    pub file: &'static str,
    /// CN of the certificate.
    pub common_name: &'static str,
    /// O of the certificate.
    pub organizations: &'static [&'static str],
    /// The namespace that kubectl starts in.
    pub namespace: &'static str,
    /// Who signed, and when.
    pub issue: Issue,
    /// What the user may do, for a person.
    pub about: &'static str,
}

/// Users with a client certificate, in the order they are shown.
pub const WITH_CERTIFICATE: &[SeededUser] = &[
    SeededUser {
        file: "admin",
        common_name: "admin",
        organizations: &["system:masters"],
        namespace: "default",
        issue: Issue::Valid,
        about: "may do everything (system:masters)",
    },
    SeededUser {
        file: "api-user",
        common_name: "api-user",
        organizations: &[],
        namespace: "default",
        issue: Issue::Valid,
        about: "may get and list pods in default",
    },
    SeededUser {
        file: "dev",
        common_name: "dev",
        organizations: &["developers"],
        namespace: "production",
        issue: Issue::Valid,
        about: "may edit in production",
    },
    SeededUser {
        file: "node1",
        common_name: "system:node:node1",
        organizations: &["system:nodes"],
        namespace: "default",
        issue: Issue::Valid,
        about: "the kubelet of node1: reads what its pods need",
    },
    SeededUser {
        file: "expired",
        common_name: "former-admin",
        organizations: &["system:masters"],
        namespace: "default",
        issue: Issue::Expired,
        about: "an administrator's certificate that ended yesterday",
    },
    SeededUser {
        file: "other-ca",
        common_name: "admin",
        organizations: &["system:masters"],
        namespace: "default",
        issue: Issue::OtherAuthority,
        about: "says admin, signed by an authority nobody knows",
    },
];

/// The service account whose token is in `kubeconfigs/batch-runner.yaml`.
pub const BATCH_RUNNER: (&str, &str) = ("batch", "batch-runner");

/// Writes the kubeconfig of every user into `folder`, anew at every start: the server's port may have
/// changed. Certificates handed out before stay good.
pub fn write_kubeconfigs(
    folder: &Path,
    pki: &Pki,
    server: &str,
    batch_runner: Secret,
    now: Timestamp,
) -> Result<(), PkiError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| PkiError::File { path, source }
    };
    files::make_private_folder(folder).map_err(at(folder))?;
    let ca = pki.read("ca.crt")?;
    let write = |file: &str, namespace: &str, proof: &Proof| {
        let path = folder.join(format!("{file}.yaml"));
        files::replace_private(&path, kubeconfig(server, &ca, file, namespace, proof).as_bytes())
            .map_err(at(&path))
    };
    for user in WITH_CERTIFICATE {
        let subject = Subject { common_name: user.common_name, organizations: user.organizations };
        let proof = Proof::Certificate(pki.user(&subject, user.issue, now)?);
        write(user.file, user.namespace, &proof)?;
    }
    let (namespace, name) = BATCH_RUNNER;
    write(name, namespace, &Proof::Token(batch_runner))
}
