//! kubeconfig: which API server, and the gate's own credential for it.
//!
//! What kubectl would do silently and a gate must not, is refused with a reason: unverified TLS,
//! plain HTTP, commands that fetch credentials, impersonation under the gate's own.

mod file;
mod server;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use types::Secret;

use self::file::{Cluster, Config, Context, User};
use crate::{
    cluster_access::{ClusterAccess, Token},
    files::{self, PemText, ReadError},
    yaml::{self, Document, FieldError, YamlError},
};

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It cannot be read, or is not a kubeconfig.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// There is nothing in it.
    #[error("{file}: empty: expected a kubeconfig (`kind: Config`)")]
    Empty {
        /// The file.
        file: String,
    },
    /// A value in it is wrong, or is one that the gate refuses.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A file that it names cannot be read.
    #[error("{field}: {source}")]
    File {
        /// The kubeconfig, line and field that name the file.
        field: String,
        /// The file and what the system says.
        source: ReadError,
    },
}

/// Loads one context of a kubeconfig: `context`, or else its `current-context`.
///
/// UPSTREAM: `…-data` wins over the file of the same name, `tokenFile` over `token` once it is
/// read, and relative paths begin at the kubeconfig's folder (client-go 1.36).
pub fn load(path: &Path, context: Option<&str>) -> Result<ClusterAccess, KubeconfigError> {
    read(path, |loader| Ok(loader.load(context)?.access))
}

/// Loads the `current-context` of a webhook's kubeconfig: its server may have a path, which is
/// returned too (`/` without one), and it may do without a credential.
///
/// # Errors
/// As [`load`]: plain HTTP, unverified TLS and commands are refused here too.
pub fn load_webhook(path: &Path) -> Result<(ClusterAccess, String), KubeconfigError> {
    read(path, |loader| {
        let Loaded { access, path, .. } = loader.load_any(None)?;
        Ok((access, path))
    })
}

fn read<T>(
    path: &Path,
    load: impl FnOnce(Loader<'_>) -> Result<T, KubeconfigError>,
) -> Result<T, KubeconfigError> {
    let documents = yaml::read(path)?;
    let Some(document) = documents.first() else {
        return Err(KubeconfigError::Empty { file: path.display().to_string() });
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    load(Loader { document, folder })
}

/// One context, and where in the file it stood.
struct Loaded {
    access: ClusterAccess,
    path: String,
    server_place: String,
    user_place: String,
}

struct Loader<'a> {
    document: &'a Document,
    folder: &'a Path,
}

impl Loader<'_> {
    /// One context that leads to an API server.
    fn load(&self, context: Option<&str>) -> Result<Loaded, KubeconfigError> {
        let loaded = self.load_any(context)?;
        let Loaded { access, path, server_place, user_place } = &loaded;
        if path != "/" {
            return Err(self.document.error(server_place, server::PATH_REFUSED).into());
        }
        if access.client_certificate.is_none() && access.token.is_none() {
            let message =
                "has no credential: expected `client-certificate` and `client-key`, `token` or `tokenFile`";
            return Err(self.document.error(user_place, message).into());
        }
        Ok(loaded)
    }

    /// One context that leads anywhere.
    fn load_any(&self, context: Option<&str>) -> Result<Loaded, KubeconfigError> {
        self.require("kind", "Config")?;
        self.require("apiVersion", "v1")?;
        let config: Config = self.document.decode()?;
        let (asked, name) = match context {
            Some(name) => ("", name),
            None if config.current_context.is_empty() => {
                let message =
                    format!("is not set: name a context ({})", names(&config.contexts, |c| &c.name));
                return Err(self.document.error("current-context", message).into());
            }
            None => ("current-context", config.current_context.as_str()),
        };
        let (index, found) = self.find(&config.contexts, |c| &c.name, "contexts", name, asked, "context")?;
        let place = format!("contexts[{index}].context");
        let Context { cluster, user, .. } = &found.context;
        let (cluster_index, cluster) = self.find(
            &config.clusters,
            |c| &c.name,
            "clusters",
            cluster,
            &format!("{place}.cluster"),
            "cluster",
        )?;
        let (user_index, user) =
            self.find(&config.users, |u| &u.name, "users", user, &format!("{place}.user"), "user")?;
        let cluster_place = format!("clusters[{cluster_index}].cluster");
        let user_place = format!("users[{user_index}].user");
        self.refuse_cluster(&cluster.cluster, &cluster_place)?;
        self.refuse_user(&user.user, &user_place)?;

        let server_place = format!("{cluster_place}.server");
        let (server, path) = server::parse(&cluster.cluster.server)
            .map_err(|reason| self.document.error(&server_place, reason))?;
        let client_certificate = self.client_certificate(&user.user, &user_place)?;
        let token = self.token(&user.user, &user_place)?;
        let access = ClusterAccess {
            origin: format!("{} (context {name})", self.document.file()),
            host: server.host,
            port: server.port,
            tls_server_name: some(&cluster.cluster.tls_server_name).map(str::to_owned),
            ca: self.ca(&cluster.cluster, &cluster_place)?,
            client_certificate,
            token,
        };
        Ok(Loaded { access, path, server_place, user_place })
    }

    /// What tells a kubeconfig from other files; both fields may be missing.
    fn require(&self, field: &str, expected: &str) -> Result<(), FieldError> {
        let found = self.document.root().get(field).and_then(yaml::Node::text).unwrap_or_default();
        if found.is_empty() || found == expected {
            return Ok(());
        }
        Err(self.document.error(field, format!("expected `{expected}`, found `{found}`")))
    }

    /// The entry with a name, and its index. The name was asked for at the field `asked`, or on
    /// the command line when that is empty.
    fn find<'t, T>(
        &self,
        entries: &'t [T],
        name_of: impl Fn(&T) -> &String,
        list: &str,
        name: &str,
        asked: &str,
        what: &str,
    ) -> Result<(usize, &'t T), FieldError> {
        let mut found = entries.iter().enumerate().filter(|(_, entry)| name_of(entry) == name);
        match (found.next(), found.next()) {
            (Some(entry), None) => Ok(entry),
            // UPSTREAM: a name that stands twice is an error (client-go 1.36).
            (Some(_), Some((second, _))) => {
                let message = format!("the name `{name}` stands twice");
                Err(self.document.error(&format!("{list}[{second}].name"), message))
            }
            (None, _) => {
                let place = if asked.is_empty() { list } else { asked };
                let message = format!("no {what} is named `{name}` ({})", names(entries, name_of));
                Err(self.document.error(place, message))
            }
        }
    }

    fn refuse_cluster(&self, cluster: &Cluster, place: &str) -> Result<(), FieldError> {
        let refuse = |field, reason| Err(self.document.error(&format!("{place}.{field}"), reason));
        if cluster.insecure_skip_tls_verify {
            return refuse(
                "insecure-skip-tls-verify",
                "refused: whoever stands between the gate and the API server could be every user; name the CA with `certificate-authority`",
            );
        }
        if some(&cluster.proxy_url).is_some() {
            return refuse("proxy-url", "refused: the gate connects to the API server directly");
        }
        Ok(())
    }

    fn refuse_user(&self, user: &User, place: &str) -> Result<(), FieldError> {
        let impersonates = !user.impersonate.is_empty()
            || !user.impersonate_uid.is_empty()
            || !user.impersonate_groups.is_empty()
            || !user.impersonate_extra.is_empty();
        let refusals = [
            (
                user.exec.is_some(),
                "exec",
                "refused: the gate runs no commands; use a client certificate, `token` or `tokenFile`",
            ),
            (
                user.auth_provider.is_some(),
                "auth-provider",
                "refused: removed from Kubernetes in 1.26; use a client certificate, `token` or `tokenFile`",
            ),
            (
                !user.username.is_empty() || !user.password.is_empty(),
                "username",
                "refused: removed from Kubernetes in 1.19; use a client certificate, `token` or `tokenFile`",
            ),
            (
                impersonates,
                "as",
                "refused: the gate impersonates its clients, and can be nobody else meanwhile",
            ),
        ];
        match refusals.into_iter().find(|(refused, ..)| *refused) {
            Some((_, field, reason)) => Err(self.document.error(&format!("{place}.{field}"), reason)),
            None => Ok(()),
        }
    }

    fn ca(&self, cluster: &Cluster, place: &str) -> Result<PemText, KubeconfigError> {
        let given = self.pem(
            &format!("{place}.certificate-authority"),
            some(&cluster.certificate_authority_data),
            some(&cluster.certificate_authority),
        )?;
        given.ok_or_else(|| {
            let message = "must be set: the system's CAs are not trusted with the API server's name";
            self.document.error(&format!("{place}.certificate-authority"), message).into()
        })
    }

    fn client_certificate(
        &self,
        user: &User,
        place: &str,
    ) -> Result<Option<(PemText, PemText)>, KubeconfigError> {
        let chain_place = format!("{place}.client-certificate");
        let key_place = format!("{place}.client-key");
        let chain =
            self.pem(&chain_place, some(&user.client_certificate_data), some(&user.client_certificate))?;
        let key = self.pem(&key_place, some(&user.client_key_data), some(&user.client_key))?;
        match (chain, key) {
            (Some(chain), Some(key)) => Ok(Some((chain, key))),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(self.document.error(&key_place, "must be set beside `client-certificate`").into())
            }
            (None, Some(_)) => {
                Err(self.document.error(&chain_place, "must be set beside `client-key`").into())
            }
        }
    }

    fn token(&self, user: &User, place: &str) -> Result<Option<Token>, KubeconfigError> {
        if let Some(file) = some(&user.token_file) {
            let place = format!("{place}.tokenFile");
            let path = self.resolve(file);
            let text = self.read(&place, &path)?;
            let text = String::from_utf8(text).unwrap_or_default();
            if text.trim().is_empty() {
                let message = format!("`{}` holds no token", path.display());
                return Err(self.document.error(&place, message).into());
            }
            return Ok(Some(Token::File { path, first: Secret::new(text.trim()) }));
        }
        Ok(some(&user.token).map(|token| Token::Fixed(Secret::new(token))))
    }

    /// PEM text that stands in the field `PLACE-data`, or in the file that `PLACE` names.
    fn pem(
        &self,
        place: &str,
        data: Option<&str>,
        file: Option<&str>,
    ) -> Result<Option<PemText>, KubeconfigError> {
        if let Some(data) = data {
            let place = format!("{place}-data");
            // UPSTREAM: line breaks inside are skipped, nothing else (Go's base64).
            let data: String = data.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
            let text = STANDARD
                .decode(data)
                .map_err(|error| self.document.error(&place, format!("not base64: {error}")))?;
            return Ok(Some(PemText { origin: format!("{}: {place}", self.document.file()), text }));
        }
        let Some(file) = file else { return Ok(None) };
        let path = self.resolve(file);
        let text = self.read(place, &path)?;
        Ok(Some(PemText { origin: path.display().to_string(), text }))
    }

    fn resolve(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn read(&self, place: &str, path: &Path) -> Result<Vec<u8>, KubeconfigError> {
        files::read(path).map_err(|source| {
            let FieldError { file, line, path, .. } = self.document.error(place, "");
            KubeconfigError::File { field: format!("{file}:{line}: {path}"), source }
        })
    }
}

/// An empty string is as good as none, as in client-go.
fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// What there is to choose from.
fn names<T>(entries: &[T], name_of: impl Fn(&T) -> &String) -> String {
    match entries {
        [] => "there are none".to_owned(),
        _ => {
            let names: Vec<_> = entries.iter().map(|entry| format!("`{}`", name_of(entry))).collect();
            format!("there are {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
