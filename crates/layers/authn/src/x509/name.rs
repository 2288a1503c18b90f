//! Distinguished names.

use std::borrow::Cow;

use super::{
    Malformed,
    der::{Reader, tag},
    time::Moment,
};

/// One attribute of a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// The object identifier, encoded.
    pub(super) kind: Box<[u8]>,
    /// `None` if the value is not of a string type.
    pub(super) text: Option<String>,
}

/// The attributes of a name, in the order written, those of one set one after the other.
pub(super) fn attributes(name: &[u8]) -> Result<Vec<Attribute>, Malformed> {
    const BROKEN: Malformed = Malformed("invalid distinguished name");
    let mut attributes = Vec::new();
    let mut sets = Reader::new(name).nested(tag::SEQUENCE).ok_or(BROKEN)?;
    while !sets.is_empty() {
        let mut set = sets.nested(tag::SET).ok_or(BROKEN)?;
        while !set.is_empty() {
            let mut attribute = set.nested(tag::SEQUENCE).ok_or(BROKEN)?;
            let kind = attribute.object_identifier().ok_or(BROKEN)?.into();
            let text = value(&mut attribute).ok_or(Malformed("invalid value in a distinguished name"))?;
            attributes.push(Attribute { kind, text: text.map(Cow::into_owned) });
        }
    }
    Ok(attributes)
}

/// `Some(None)`: well-formed, but not a string.
fn value<'a>(reader: &mut Reader<'a>) -> Option<Option<Cow<'a, str>>> {
    let mut copy = *reader;
    let element = reader.any()?;
    if let Some(text) = string(element.tag, element.body) {
        return text.map(Some);
    }
    let well_formed = match element.tag {
        tag::INTEGER => copy.integer().is_some(),
        tag::BOOLEAN => copy.boolean().is_some(),
        tag::BIT_STRING => copy.bit_string().is_some(),
        tag::OBJECT_IDENTIFIER => copy.object_identifier().is_some(),
        tag::UTC_TIME | tag::GENERALIZED_TIME => Moment::read(&mut copy).is_some(),
        _ => true,
    };
    well_formed.then_some(None)
}

/// `None`: not a string type. `Some(None)`: a string type, but not such a string.
// UPSTREAM: PrintableString takes `*` and `&` beside its set, T61String is read as Latin-1, and
// UniversalString is no string (kube-apiserver 1.36).
fn string(tag: u8, bytes: &[u8]) -> Option<Option<Cow<'_, str>>> {
    let ascii = |allowed: fn(u8) -> bool| {
        bytes
            .iter()
            .all(|&byte| byte.is_ascii() && allowed(byte))
            .then(|| str::from_utf8(bytes).ok().map(Cow::Borrowed))
            .flatten()
    };
    Some(match tag {
        tag::UTF8_STRING => str::from_utf8(bytes).ok().map(Cow::Borrowed),
        tag::PRINTABLE_STRING => {
            ascii(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte))
        }
        tag::IA5_STRING => ascii(|_| true),
        tag::NUMERIC_STRING => ascii(|byte| byte.is_ascii_digit() || byte == b' '),
        tag::T61_STRING => Some(bytes.iter().map(|&byte| char::from(byte)).collect()),
        tag::BMP_STRING => bmp_string(bytes).map(Cow::Owned),
        _ => return None,
    })
}

/// Two bytes a character, no surrogates and none of Unicode's noncharacters; one NUL at the end is
/// dropped.
fn bmp_string(bytes: &[u8]) -> Option<String> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    let pairs = pairs.strip_suffix(&[[0, 0]]).unwrap_or(pairs);
    pairs
        .iter()
        .map(|&pair| match u16::from_be_bytes(pair) {
            0xfffe | 0xffff | 0xfdd0..=0xfdef => None,
            unit => char::from_u32(u32::from(unit)),
        })
        .collect()
}
