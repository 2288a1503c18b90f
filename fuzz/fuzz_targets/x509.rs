//! PEM certificates: whatever is shown as a client's chain or loaded as its CA, nothing panics, and
//! the one CA whose key nobody has lets nobody in but itself and those it once certified.
#![no_main]

use std::sync::LazyLock;

use authn::{
    pem,
    x509::{ClientCa, Options, Presented},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use types::Timestamp;

static CA: LazyLock<ClientCa> =
    LazyLock::new(|| ClientCa::from_pem(include_bytes!("../data/ca.pem")).expect("a good CA"));

fuzz_target!(|bundle: &[u8]| {
    let now = Timestamp::from_second(1_800_000_000).expect("a moment");
    let chain: Vec<Vec<u8>> = pem::blocks(bundle).into_iter().map(|block| block.data).collect();
    let Ok(presented) = Presented::parse(chain.iter().map(Vec::as_slice)) else { return };
    if let Ok(Some(identity)) = CA.authenticate(&presented, now, Options::default()) {
        let user = (&*identity.user.name, identity.user.groups.join(" "));
        assert!(
            [("alice", "dev ops"), ("middle", ""), ("root", "")].contains(&(user.0, &user.1)),
            "{user:?}"
        );
        assert!(identity.is_valid_at(now));
    }
    if let Ok(ca) = ClientCa::from_pem(bundle)
        && let Ok(Some(identity)) = ca.authenticate(&presented, now, Options { uid_from_subject: false })
    {
        assert!(!identity.user.name.is_empty() && identity.is_valid_at(now) && identity.user.uid.is_empty());
    }
});

// Changes the DER inside: changes of the PEM hardly ever leave anything to judge.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut blocks = pem::blocks(data.get(..size).unwrap_or_default());
    let count = blocks.len().max(1);
    let Some(block) = blocks.get_mut(seed as usize % count) else {
        return fuzzer_mutate(data, size, max_size);
    };
    let size = block.data.len();
    block.data.resize(size + 64, 0);
    let size = fuzzer_mutate(&mut block.data, size, size + 64);
    block.data.truncate(size);
    let text: String = blocks
        .iter()
        .map(|block| BASE64_STANDARD.encode(&block.data))
        .map(|der| format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n"))
        .collect();
    let end = text.len().min(max_size);
    data[..end].copy_from_slice(&text.as_bytes()[..end]);
    end
});
