//! What the recorded decisions do not reach: hostile bytes, bounded work, how long an identity
//! holds.

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, NameConstraints, SanType, date_time_ymd,
};

use super::{
    CaError, ClientCa, Options, Presented, Refusal,
    der::tag::{GENERALIZED_TIME, UTC_TIME},
};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
    pem: String,
}

fn ca_params(name: &str, until: i32) -> CertificateParams {
    let mut params = params(name, until);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// Valid from 2020 to the first day of `until`.
fn params(name: &str, until: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

fn root(params: CertificateParams) -> Authority {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Authority { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
}

/// With every kind of name that constraints speak of.
fn with_names(mut params: CertificateParams) -> CertificateParams {
    params.subject_alt_names = vec![
        SanType::DnsName("a.example.com".try_into().unwrap()),
        SanType::Rfc822Name("a@example.com".try_into().unwrap()),
        SanType::URI("spiffe://example.com/a".try_into().unwrap()),
        SanType::IpAddress([10, 1, 2, 3].into()),
    ];
    params
}

/// With constraints that allow those names.
fn with_constraints(mut params: CertificateParams) -> CertificateParams {
    let domain = || "example.com".to_owned();
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(domain()),
            GeneralSubtree::Rfc822Name(domain()),
            GeneralSubtree::IpAddress(CidrSubnet::V4([10, 0, 0, 0], [255, 0, 0, 0])),
        ],
        excluded_subtrees: vec![GeneralSubtree::DnsName("b.example.com".to_owned())],
    });
    params
}

fn intermediate(params: CertificateParams, above: &Authority) -> Authority {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &above.issuer).unwrap();
    Authority { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
}

fn client(mut params: CertificateParams, above: &Authority) -> Vec<u8> {
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    params.signed_by(&KeyPair::generate().unwrap(), &above.issuer).unwrap().der().to_vec()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The user's name and until when it holds, `None` for no opinion.
fn judge(ca: &ClientCa, chain: &[&[u8]], now: &str) -> Result<Option<(String, String)>, Refusal> {
    let presented = Presented::parse(chain.iter().copied()).expect("the chain parses");
    let identity = ca.authenticate(&presented, at(now), Options::default())?;
    Ok(identity.map(|identity| (identity.user.name.clone(), identity.valid_until.unwrap().to_string())))
}

/// A client whose certificate was changed in any bit, or cut anywhere, is nobody; and nothing
/// panics over it.
#[test]
fn changed_certificates_stand_for_nobody() {
    let ca = root(with_constraints(ca_params("ca", 2030)));
    let bundle = ClientCa::from_pem(ca.pem.as_bytes()).unwrap();
    let good = client(with_names(params("alice", 2030)), &ca);
    let check = |der: &[u8]| {
        let Ok(presented) = Presented::parse([der]) else { return };
        let outcome = bundle.authenticate(&presented, at("2026-01-01T00:00:00Z"), Options::default());
        assert!(outcome.is_err(), "{der:02x?} gave {outcome:?}");
    };
    assert!(
        matches!(judge(&bundle, &[&good], "2026-01-01T00:00:00Z"), Ok(Some((name, _))) if name == "alice")
    );
    for index in 0..good.len() {
        let mut changed = good.clone();
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            changed[index] = good[index] ^ mask;
            check(&changed);
        }
        changed.remove(index);
        check(&changed);
        check(&good[..index]);
    }
}

/// A changed authority never panics either; it may well still be one, since nobody checks the
/// signature of a root.
#[test]
fn changed_authorities_do_not_panic() {
    let ca = root(with_constraints(ca_params("ca", 2030)));
    let good = client(with_names(params("alice", 2030)), &ca);
    let presented = Presented::parse([good.as_slice()]).unwrap();
    for index in 0..ca.der.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut changed = ca.der.clone();
            changed[index] ^= mask;
            if let Ok(certificate) = super::Certificate::parse(&changed) {
                let bundle = ClientCa { roots: vec![certificate] };
                let _ = bundle.authenticate(&presented, at("2026-01-01T00:00:00Z"), Options::default());
            }
        }
    }
}

/// An identity holds as long as some chain does: until the first certificate of the last chain
/// expires.
#[test]
fn an_identity_holds_until_its_chain_ends() {
    let old = root(ca_params("old", 2027));
    let new = root(ca_params("new", 2035));
    let both = ClientCa::from_pem(format!("{}{}", old.pem, new.pem).as_bytes()).unwrap();
    let below_old = intermediate(ca_params("middle", 2040), &old);
    let leaf = client(params("alice", 2032), &below_old);
    // The same intermediate, certified by the new root as well.
    let key = below_old.issuer.key();
    let below_new = ca_params("middle", 2031).signed_by(key, &new.issuer).unwrap().der().to_vec();

    let check = |chain: &[&[u8]], now: &str, until: Option<&str>| {
        let found = judge(&both, chain, now).ok().flatten().map(|(_, until)| until);
        assert_eq!(found.as_deref(), until, "at {now}");
    };
    check(&[&leaf, &below_old.der], "2026-01-01T00:00:00Z", Some("2027-01-01T00:00:00Z"));
    check(&[&leaf, &below_new], "2026-01-01T00:00:00Z", Some("2031-01-01T00:00:00Z"));
    check(&[&leaf, &below_old.der, &below_new], "2026-01-01T00:00:00Z", Some("2031-01-01T00:00:00Z"));
    check(&[&leaf, &below_old.der, &below_new], "2027-01-01T00:00:00.1Z", Some("2031-01-01T00:00:00Z"));
    check(&[&leaf, &below_old.der, &below_new], "2031-01-01T00:00:00.1Z", None);
    check(&[&leaf], "2026-01-01T00:00:00Z", None);
}

/// Many certificates of the issuer's name cost a client's connection at most a hundred signatures.
#[test]
fn look_alike_issuers_are_not_all_tried() {
    let ca = root(ca_params("ca", 2030));
    let bundle = ClientCa::from_pem(ca.pem.as_bytes()).unwrap();
    let real = intermediate(ca_params("middle", 2030), &ca);
    let leaf = client(params("alice", 2030), &real);
    let look_alikes: Vec<Vec<u8>> =
        (0..100).map(|_| intermediate(ca_params("middle", 2030), &ca).der).collect();
    let check = |count: usize, expected: Result<(), Refusal>| {
        let mut chain: Vec<&[u8]> = vec![&leaf];
        chain.extend(look_alikes.iter().take(count).map(Vec::as_slice));
        chain.push(&real.der);
        let found = judge(&bundle, &chain, "2026-01-01T00:00:00Z");
        assert_eq!(found.map(|identity| assert!(identity.is_some())), expected, "{count} look-alikes");
    };
    check(98, Ok(()));
    check(100, Err(Refusal::TooManySignatureChecks));
}

/// A CA that demands an explicit policy gets one from every certificate below it.
#[test]
fn demanded_policies_must_be_named() {
    let extension = |id: &[u64], value: &[u8]| CustomExtension::from_oid_content(id, value.to_vec());
    let demand = || extension(&[2, 5, 29, 36], &[0x30, 3, 0x80, 1, 0]);
    let policy = |last: u8| extension(&[2, 5, 29, 32], &[0x30, 6, 0x30, 4, 6, 2, 0x2a, last]);
    let ca = root(ca_params("ca", 2030));
    let bundle = ClientCa::from_pem(ca.pem.as_bytes()).unwrap();
    let check = |above: Vec<CustomExtension>, own: Vec<CustomExtension>, expected: Result<(), Refusal>| {
        let mut middle = ca_params("middle", 2030);
        middle.custom_extensions = above;
        let middle = intermediate(middle, &ca);
        let mut leaf = params("alice", 2030);
        leaf.custom_extensions = own;
        let leaf = client(leaf, &middle);
        let found = judge(&bundle, &[&leaf, &middle.der], "2026-01-01T00:00:00Z");
        assert_eq!(found.map(|identity| assert!(identity.is_some())), expected);
    };
    check(vec![], vec![], Ok(()));
    check(vec![policy(1)], vec![policy(2)], Ok(()));
    check(vec![demand(), policy(1)], vec![policy(1)], Ok(()));
    check(vec![demand(), policy(1)], vec![policy(2)], Err(Refusal::Policies));
    check(vec![demand(), policy(1)], vec![], Err(Refusal::Policies));
    check(vec![demand()], vec![policy(1)], Err(Refusal::Policies));
}

#[test]
fn a_bundle_that_does_not_load_says_why() {
    let check = |bundle: &str, message: &str| {
        assert_eq!(ClientCa::from_pem(bundle.as_bytes()).unwrap_err().to_string(), message);
    };
    check("", &CaError::Empty.to_string());
    check("garbage", "data does not contain any valid RSA or ECDSA certificates");
    check(
        "some text\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "certificate that begins in line 2: x509: malformed tbs certificate",
    );
}

#[test]
fn moments_are_read_as_go_reads_them() {
    let check = |tag: u8, text: &str, expected: Option<&str>| {
        let mut der = vec![tag, u8::try_from(text.len()).unwrap()];
        der.extend_from_slice(text.as_bytes());
        let moment = super::time::Moment::read(&mut super::der::Reader::new(&der));
        let found = moment.map(|moment| moment.to_timestamp().to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    };
    check(UTC_TIME, "260301120000Z", Some("2026-03-01T12:00:00Z"));
    check(UTC_TIME, "500101000000Z", Some("1950-01-01T00:00:00Z"));
    check(UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z"));
    check(UTC_TIME, "2603011200Z", Some("2026-03-01T12:00:00Z"));
    check(UTC_TIME, "260301120000+0130", Some("2026-03-01T10:30:00Z"));
    check(UTC_TIME, "260301120000+0000", None);
    check(UTC_TIME, "260229120000Z", None);
    check(UTC_TIME, "260301120060Z", None);
    check(UTC_TIME, "260301120000", None);
    check(UTC_TIME, "260301120000Zx", None);
    check(GENERALIZED_TIME, "20260301120000Z", Some("2026-03-01T12:00:00Z"));
    check(GENERALIZED_TIME, "202603011200Z", None);
    check(GENERALIZED_TIME, "20260301120000.5Z", None);
    check(GENERALIZED_TIME, "99991231235959Z", Some("9999-12-30T22:00:00Z"));
}
