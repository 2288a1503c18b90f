use proptest::prelude::*;

use super::*;

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

#[test]
fn printed() {
    let check = |text: &str, expected: &str| assert_eq!(quantity(text).to_string(), expected, "{text}");
    check("0", "0");
    check("1Gi", "1Gi");
    check("1024", "1024");
    check("1024Ki", "1Mi");
    check("8Ki", "8Ki");
    check("1.5Gi", "1536Mi");
    check("0.5Gi", "512Mi");
    check("0.5Ki", "512");
    check("0.5", "500m");
    check("1000", "1k");
    check("12000000", "12M");
    check("1e3", "1e3");
    check("12e4", "120e3");
    check("1E", "1E");
    check("1E3", "1E3");
    check("1e0", "1e0");
    check("100m", "100m");
    check("1000m", "1");
    check("0.1n", "1n");
    check("-0.1n", "-1n");
    check("1.0000000001", "1000000001n");
    check("+5", "+5");
    check("5.100", "5.100");
    check("5.1000", "5100m");
    check("007", "007");
    check("1.", "1.");
    check("1.G", "1.G");
    check("-3Mi", "-3Mi");
    check("1Ei", "1Ei");
    check("100Ei", "9223372036854775807");
    check("-100Ei", "-9223372036854775807");
    check("1000E", "1");
    check("123456789012345678901234567890", "123456789012345678901234567890");
    check("12345678901234567890e3", "12345678901234567890e3");
    check("0.0000000001Ki", "103n");
    check("+", "0");
    check(".", "0");
    check("k", "0");
    check("1e2147483647", "10e2147483646");
    check("0e5", "0");
    check("00Gi", "0");
}

#[test]
fn refused() {
    let check = |text: &str, expected: QuantityError| {
        assert_eq!(Quantity::parse(text).unwrap_err(), expected, "{text}")
    };
    check("", QuantityError::Format);
    check("bad", QuantityError::Format);
    check("1 Gi", QuantityError::Format);
    check("1.2.3", QuantityError::Format);
    check("--1", QuantityError::Suffix);
    check("é", QuantityError::Format);
    check("1e", QuantityError::Suffix);
    check("1i", QuantityError::Suffix);
    check("1Ki3", QuantityError::Suffix);
    check("1m-", QuantityError::Suffix);
    check("1K", QuantityError::Suffix);
    check("1e99999999999999999999", QuantityError::Suffix);
    check("Ei", QuantityError::Numeric);
    check("1234567890123456789e2147483647", QuantityError::TooLong);
    check(&"9".repeat(5000), QuantityError::TooLong);
}

#[test]
fn integers() {
    let check =
        |text: &str, expected: Option<i64>| assert_eq!(quantity(text).as_integer(), expected, "{text}");
    check("2k", Some(2000));
    check("1Gi", Some(1 << 30));
    check("9e18", Some(9_000_000_000_000_000_000));
    check("10e18", None);
    check("0e2147483647", Some(0));
    check("100m", None);
    check("1000m", None);
    check("1.0", None);
    check("1.5Gi", None);
    // Beyond the digits that the fast representation surely holds.
    check("1Ei", None);
    check("1234567890123456789", None);
}

#[test]
fn doubles() {
    let check = |text: &str, expected: f64| {
        assert_eq!(quantity(text).approximate().to_bits(), expected.to_bits(), "{text}")
    };
    check("1500m", 1500.0 * 1e-3);
    check("1k", 1000.0);
    check("1Ei", 1_152_921_504_606_846_976_000_000_000.0 * 1e-9);
    check("1e400", f64::INFINITY);
    check("1e23", 1e23);
    check("1e-400", 1e-9);
    assert!(quantity("0e400").approximate().is_nan());
}

#[test]
fn compared() {
    let check = |a: &str, b: &str, expected: Ordering| {
        assert_eq!(quantity(a).compare(&quantity(b)), expected, "{a} {b}");
        assert_eq!(quantity(b).compare(&quantity(a)), expected.reverse(), "{b} {a}");
    };
    check("1Gi", "1024Mi", Ordering::Equal);
    check("1Gi", "1G", Ordering::Greater);
    check("1", "1000m", Ordering::Equal);
    check("1", "1001m", Ordering::Less);
    check("-1", "-1001m", Ordering::Greater);
    check("0", "0e9", Ordering::Equal);
    check("1e2147483647", "1", Ordering::Greater);
    check("-1e2147483647", "1", Ordering::Less);
    check("1e2147483647", "1e2147483646", Ordering::Greater);
    check("1Ei", "1152921504606846976", Ordering::Equal);
    check("1Ei", "1152921504606846977", Ordering::Less);
}

#[test]
fn sums() {
    let add = |a: &str, b: &str| quantity(a).add(&quantity(b)).unwrap().to_string();
    assert_eq!(add("1", "1m"), "1001m");
    assert_eq!(add("0", "1Gi"), "1Gi");
    assert_eq!(add("1Gi", "0"), "1Gi");
    assert_eq!(add("1Gi", "1G"), "2073741824");
    assert_eq!(add("1Gi", "500m"), "1073741824500m");
    assert_eq!(add("9e18", "9e18"), "18e18");
    assert_eq!(add("9Ei", "9Ei"), "18446744073709551614");
    let sub = |a: &str, b: &str| quantity(a).sub(&quantity(b)).unwrap().to_string();
    assert_eq!(sub("5", "2"), "3");
    assert_eq!(sub("0", "1Ki"), "-1Ki");
    assert_eq!(sub("1Gi", "1Gi"), "0");
    assert_eq!(quantity("5").add(&Quantity::from(2)).unwrap().to_string(), "7");
    assert_eq!(quantity("0").add(&Quantity::from(5000)).unwrap().to_string(), "5e3");
    assert_eq!(quantity("1e2000000").add(&quantity("1")).unwrap_err(), QuantityError::TooLong);
}

proptest! {
    #[test]
    fn never_panics(a in "[-+]?[0-9.]{0,30}([numkKMGTPEi]{0,3}|[eE][-+]?[0-9]{0,11})", b in ".{0,8}") {
        let _ = Quantity::parse(&b);
        if let Ok(a) = Quantity::parse(&a) {
            let _ = (a.as_integer(), a.approximate(), a.sign(), a.to_string());
            for other in [Quantity::from(i64::MIN), Quantity::from(1), a.clone()] {
                prop_assert_eq!(a.compare(&other), other.compare(&a).reverse());
                let _ = a.add(&other).map(|sum| sum.to_string());
                let _ = a.sub(&other).map(|difference| difference.to_string());
            }
        }
    }

    #[test]
    fn reads_back_what_it_prints(value in any::<i64>(), suffix in prop::sample::select(vec!["", "m", "k", "Ki", "Gi", "e3", "n"])) {
        let quantity = quantity(&format!("{value}{suffix}"));
        prop_assert_eq!(Quantity::parse(&quantity.to_string()).unwrap().compare(&quantity), Ordering::Equal);
    }
}
