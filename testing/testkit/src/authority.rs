//! Certificates for tests.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, SanType,
};

/// A certificate authority whose key lives in memory.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate_pem: String,
    /// PKCS #8.
    pub key_pem: String,
}

/// What a client certificate says.
#[derive(Clone, Debug, Default)]
pub struct Spec<'a> {
    /// CN; `None` leaves it out.
    pub common_name: Option<&'a str>,
    /// O, in order.
    pub organizations: &'a [&'a str],
    /// EKU serverAuth instead of clientAuth.
    pub for_servers: bool,
    /// Its validity ended in 2021.
    pub expired: bool,
    /// Its validity ends so long from now, to the second; `None` for much later.
    pub good_for: Option<Duration>,
}

impl Authority {
    /// Makes a self-signed authority.
    pub fn new(common_name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::from_ca_cert_pem(&pem, key).unwrap(), pem }
    }

    /// The authority's own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A serving certificate for loopback.
    pub fn server(&self) -> Certified {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A client certificate.
    pub fn client(&self, spec: &Spec<'_>) -> Certified {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for organization in spec.organizations {
            params.distinguished_name.push(DnType::OrganizationName, *organization);
        }
        if let Some(common_name) = spec.common_name {
            params.distinguished_name.push(DnType::CommonName, common_name);
        }
        params.extended_key_usages = vec![match spec.for_servers {
            true => ExtendedKeyUsagePurpose::ServerAuth,
            false => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        if let Some(good_for) = spec.good_for {
            params.not_after = (SystemTime::now() + good_for).into();
        }
        if spec.expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        let certificate_pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certified { certificate_pem, key_pem: key.serialize_pem() }
    }
}
