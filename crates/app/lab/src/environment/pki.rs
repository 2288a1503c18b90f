//! The lab's keys and certificates, made at the first start and kept.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use x509_parser::{
    certificate::X509Certificate, extensions::ParsedExtension, parse_x509_certificate, pem::parse_x509_pem,
};

use super::files;

/// How long the lab's certificates are valid.
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);
/// A certificate that ends sooner than this is issued again at start.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Certificates begin a little in the past, for clients whose clock is behind.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
/// How clients inside and outside of the cluster call its API server.
const NAMES: &[&str] = &[
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Why the lab's keys and certificates cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key or certificate cannot be made, or one that lies there is not what it should be.
    #[error("{}: {what}; delete it, or start with `--fresh`", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// The folder of keys and certificates.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
}

/// A certificate with its key, in PEM.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: types::Secret,
}

/// What a user's certificate says.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// CN: the user's name.
    pub common_name: &'a str,
    /// O: the user's groups.
    pub organizations: &'a [&'a str],
}

/// Which authority signs, and for which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issue {
    /// By the cluster's CA, for a year from now.
    Valid,
    /// By the cluster's CA, for a year that ended a day ago.
    Expired,
    /// By a CA that nobody knows and whose key is thrown away.
    OtherAuthority,
}

impl Pki {
    /// Opens the folder, makes what is missing, and issues again what ends soon.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, PkiError> {
        let pki = Self { folder: folder.to_owned() };
        files::make_private_folder(folder).map_err(|source| file_error(folder, source))?;
        pki.authority("ca", "portcullis-lab-ca", now)?;
        pki.authority("upstream-ca", "portcullis-lab-upstream-ca", now)?;
        pki.keep("apiserver", "ca", now, |issuer| server("kube-apiserver", NAMES, &LOOPBACK, issuer, now))?;
        pki.keep("upstream", "upstream-ca", now, |issuer| {
            server("portcullis-lab", &["localhost"], &LOOPBACK, issuer, now)
        })?;
        let gate = Subject { common_name: "portcullis-gate", organizations: &[] };
        pki.keep("gate-client", "upstream-ca", now, |issuer| client(&gate, issuer, now, Issue::Valid))?;
        pki.signing_key()?;
        Ok(pki)
    }

    /// Has the gate's serving certificate issued again, good for `address` beside loopback.
    pub fn serve_on(&self, address: IpAddr, now: Timestamp) -> Result<(), PkiError> {
        let mut addresses = LOOPBACK.to_vec();
        addresses.push(address);
        let credential = server("kube-apiserver", NAMES, &addresses, &self.issuer("ca")?, now);
        self.write("apiserver", &credential.map_err(|e| content_error(&self.path("apiserver.crt"), &e))?)
    }

    /// Where a file of this folder lies: `path("ca.crt")`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of this folder, as text.
    pub fn read(&self, name: &str) -> Result<String, PkiError> {
        let path = self.path(name);
        fs::read_to_string(&path).map_err(|source| file_error(&path, source))
    }

    /// Issues a client certificate for a user.
    pub fn user(&self, subject: &Subject<'_>, issue: Issue, now: Timestamp) -> Result<Credential, PkiError> {
        let at = self.path("ca.crt");
        if issue == Issue::OtherAuthority {
            let (certificate, key) =
                new_authority("some-other-ca", now).map_err(|e| content_error(&at, &e))?;
            let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|e| content_error(&at, &e))?;
            return client(subject, &issuer, now, issue).map_err(|e| content_error(&at, &e));
        }
        client(subject, &self.issuer("ca")?, now, issue).map_err(|e| content_error(&at, &e))
    }

    fn authority(&self, name: &str, common_name: &str, now: Timestamp) -> Result<(), PkiError> {
        if self.is_good(name, None, now)? {
            return Ok(());
        }
        let at = self.path(&format!("{name}.crt"));
        let (certificate, key) = new_authority(common_name, now).map_err(|e| content_error(&at, &e))?;
        self.write(name, &Credential { certificate, key: types::Secret::new(key.serialize_pem()) })
    }

    /// Keeps the certificate `name` if it is good, else has it made.
    fn keep(
        &self,
        name: &str,
        authority: &str,
        now: Timestamp,
        make: impl FnOnce(&Issuer<'_, KeyPair>) -> Result<Credential, rcgen::Error>,
    ) -> Result<(), PkiError> {
        if self.is_good(name, Some(authority), now)? {
            return Ok(());
        }
        let credential = make(&self.issuer(authority)?)
            .map_err(|e| content_error(&self.path(&format!("{name}.crt")), &e))?;
        self.write(name, &credential)
    }

    fn issuer(&self, authority: &str) -> Result<Issuer<'static, KeyPair>, PkiError> {
        let at = self.path(&format!("{authority}.crt"));
        let key = KeyPair::from_pem(&self.read(&format!("{authority}.key"))?)
            .map_err(|e| content_error(&at, &e))?;
        Issuer::from_ca_cert_pem(&self.read(&format!("{authority}.crt"))?, key)
            .map_err(|e| content_error(&at, &e))
    }

    fn write(&self, name: &str, credential: &Credential) -> Result<(), PkiError> {
        // The key first: a certificate without its key would count as good at the next start.
        for (suffix, content) in [("key", credential.key.expose()), ("crt", credential.certificate.as_str())]
        {
            let path = self.path(&format!("{name}.{suffix}"));
            files::replace_private(&path, content.as_bytes()).map_err(|source| file_error(&path, source))?;
        }
        Ok(())
    }

    /// Whether the certificate `name` is there with its key, ends late enough, and was signed by the
    /// authority that lies there now.
    fn is_good(&self, name: &str, authority: Option<&str>, now: Timestamp) -> Result<bool, PkiError> {
        let at = self.path(&format!("{name}.crt"));
        if !at.exists() || !self.path(&format!("{name}.key")).exists() {
            return Ok(false);
        }
        let pem = self.read(&format!("{name}.crt"))?;
        let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|e| content_error(&at, &e))?;
        let (_, certificate) = parse_x509_certificate(&pem.contents).map_err(|e| content_error(&at, &e))?;
        let signed_here = match authority {
            None => true,
            Some(authority) => self.signed_by(&certificate, authority)?,
        };
        Ok(signed_here && certificate.validity().not_after.timestamp() > (now + RENEW_BEFORE).as_second())
    }

    /// Whether a certificate names the authority that lies there now as its issuer.
    fn signed_by(&self, certificate: &X509Certificate<'_>, authority: &str) -> Result<bool, PkiError> {
        let at = self.path(&format!("{authority}.crt"));
        let pem = self.read(&format!("{authority}.crt"))?;
        let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|e| content_error(&at, &e))?;
        let (_, issuer) = parse_x509_certificate(&pem.contents).map_err(|e| content_error(&at, &e))?;
        let wanted =
            certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
                _ => None,
            });
        let found = issuer.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        });
        Ok(wanted.is_some() && wanted == found)
    }

    /// Makes the key that signs service-account tokens, if it is not there.
    fn signing_key(&self) -> Result<(), PkiError> {
        let (private, public) = (self.path("sa.key"), self.path("sa.pub"));
        if private.exists() && public.exists() {
            return Ok(());
        }
        let key = KeyPair::generate().map_err(|e| content_error(&private, &e))?;
        for (path, content) in [(&private, key.serialize_pem()), (&public, key.public_key_pem())] {
            files::replace_private(path, content.as_bytes()).map_err(|source| file_error(path, source))?;
        }
        Ok(())
    }
}

fn new_authority(common_name: &str, now: Timestamp) -> Result<(String, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now - BACKDATED, now + YEAR * 10);
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key))
}

fn server(
    common_name: &str,
    dns: &[&str],
    addresses: &[IpAddr],
    issuer: &Issuer<'_, KeyPair>,
    now: Timestamp,
) -> Result<Credential, rcgen::Error> {
    let mut params = CertificateParams::new(dns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    valid(&mut params, now - BACKDATED, now + YEAR);
    sign(params, issuer)
}

fn client(
    subject: &Subject<'_>,
    issuer: &Issuer<'_, KeyPair>,
    now: Timestamp,
    issue: Issue,
) -> Result<Credential, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject.common_name);
    for organization in subject.organizations {
        params.distinguished_name.push(DnType::OrganizationName, *organization);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let day = SignedDuration::from_hours(24);
    match issue {
        Issue::Expired => valid(&mut params, now - YEAR - day, now - day),
        Issue::Valid | Issue::OtherAuthority => valid(&mut params, now - BACKDATED, now + YEAR),
    }
    sign(params, issuer)
}

fn sign(mut params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Credential, rcgen::Error> {
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok(Credential { certificate, key: types::Secret::new(key.serialize_pem()) })
}

fn valid(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let seconds = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    params.not_before = epoch + seconds(from);
    params.not_after = epoch + seconds(until);
}

fn file_error(path: &Path, source: io::Error) -> PkiError {
    PkiError::File { path: path.to_owned(), source }
}

fn content_error(path: &Path, what: &impl ToString) -> PkiError {
    PkiError::Content { path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("portcullis-pki-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn keeps_what_is_good_and_renews_what_ends() {
        let folder = folder("keep");
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let read = || {
            ["ca.crt", "apiserver.crt", "upstream-ca.crt", "upstream.crt", "gate-client.crt", "sa.pub"]
                .map(|name| fs::read_to_string(folder.join(name)).unwrap())
        };
        Pki::open(&folder, now).unwrap();
        let first = read();
        Pki::open(&folder, now + SignedDuration::from_hours(24)).unwrap();
        assert_eq!(first, read());
        // Leaves end within a month: they are issued again, the authorities stay.
        Pki::open(&folder, now + YEAR - SignedDuration::from_hours(24)).unwrap();
        let third = read();
        assert_eq!((&first[0], &first[2], &first[5]), (&third[0], &third[2], &third[5]));
        assert!([1, 3, 4].iter().all(|leaf| first[*leaf] != third[*leaf]));
        // Another authority: what the old one signed is of no use any more.
        fs::remove_file(folder.join("ca.crt")).unwrap();
        Pki::open(&folder, now + YEAR - SignedDuration::from_hours(24)).unwrap();
        assert!(third[1] != read()[1] && third[3] == read()[3]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn says_which_file_is_damaged() {
        let folder = folder("damaged");
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        Pki::open(&folder, now).unwrap();
        fs::write(folder.join("apiserver.crt"), "nonsense").unwrap();
        let error = Pki::open(&folder, now).unwrap_err().to_string();
        assert!(error.contains("apiserver.crt") && error.contains("--fresh"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
