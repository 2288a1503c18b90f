//! Reading DER exactly as strictly as Go's `cryptobyte` does.
//!
//! Which certificates parse decides who gets a TLS connection and who gets a 401, so the reader has
//! to refuse what kube-apiserver's refuses and take what it takes. General ASN.1 libraries differ
//! in both directions (tags above 30, lengths, integers, times, character sets).

/// The tags that certificates use. Context tags are made with [`context`] and [`constructed`].
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 1;
    pub(crate) const INTEGER: u8 = 2;
    pub(crate) const BIT_STRING: u8 = 3;
    pub(crate) const OCTET_STRING: u8 = 4;
    pub(crate) const NULL: u8 = 5;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 6;
    pub(crate) const UTF8_STRING: u8 = 12;
    pub(crate) const NUMERIC_STRING: u8 = 18;
    pub(crate) const PRINTABLE_STRING: u8 = 19;
    pub(crate) const T61_STRING: u8 = 20;
    pub(crate) const IA5_STRING: u8 = 22;
    pub(crate) const UTC_TIME: u8 = 23;
    pub(crate) const GENERALIZED_TIME: u8 = 24;
    pub(crate) const BMP_STRING: u8 = 30;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]`, primitive.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]`, constructed.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// What is left to read. Every method takes something off the front, or answers `None` and leaves
/// the reader in no particular state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// One tag-length-value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(super) tag: u8,
    /// With tag and length.
    pub(super) whole: &'a [u8],
    /// Without them.
    pub(super) body: &'a [u8],
}

/// A bit string; `unused` bits at the end of the last byte are zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitString<'a> {
    unused: u8,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the next element has this tag.
    pub(super) fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Option<Element<'a>> {
        let input = self.0;
        let (&tag, rest) = input.split_first()?;
        if tag & 0x1f == 0x1f {
            return None; // a tag number above 30: never in a certificate
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first & 0x80 == 0 {
            (usize::from(first), rest)
        } else {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if octets.is_empty() || octets.len() > 4 || octets.first() == Some(&0) {
                return None; // indefinite, absurd, or with a leading zero
            }
            let length = octets.iter().fold(0, |length, &octet| length << 8 | usize::from(octet));
            if length < 0x80 {
                return None; // the short form would have done
            }
            (length, rest)
        };
        let (body, rest) = rest.split_at_checked(length)?;
        let (whole, _) = input.split_at_checked(input.len() - rest.len())?;
        self.0 = rest;
        Some(Element { tag, whole, body })
    }

    /// The next element, which must have this tag.
    pub(super) fn element(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// The contents of the next element, which must have this tag.
    pub(crate) fn body(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element(tag).map(|element| element.body)
    }

    /// A reader over the contents of the next element, which must have this tag.
    pub(crate) fn nested(&mut self, tag: u8) -> Option<Self> {
        self.body(tag).map(Self)
    }

    /// `Some(None)` if the next element has another tag or there is none.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<Element<'a>>> {
        if self.next_is(tag) { self.any().map(Some) } else { Some(None) }
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        match self.body(tag::BOOLEAN)? {
            [0] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    /// An integer of any size, in its shortest two's-complement form.
    pub(crate) fn big_integer(&mut self) -> Option<&'a [u8]> {
        shortest_integer(self.body(tag::INTEGER)?)
    }

    /// An integer that fits 64 bits.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        self.integer_tagged(tag::INTEGER)
    }

    /// As [`Self::integer`], under an implicit tag.
    pub(super) fn integer_tagged(&mut self, tag: u8) -> Option<i64> {
        let bytes = shortest_integer(self.body(tag)?)?;
        let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
        (bytes.len() <= 8).then(|| bytes.iter().fold(sign, |value: i64, &byte| value << 8 | i64::from(byte)))
    }

    pub(super) fn bit_string(&mut self) -> Option<BitString<'a>> {
        let (&unused, bytes) = self.body(tag::BIT_STRING)?.split_first()?;
        let well_formed = match bytes.last() {
            None => unused == 0,
            Some(last) => unused <= 7 && last.trailing_zeros() >= u32::from(unused),
        };
        well_formed.then_some(BitString { unused, bytes })
    }

    /// An object identifier in its encoded form, which identifies it: there is one encoding only.
    pub(crate) fn object_identifier(&mut self) -> Option<&'a [u8]> {
        let bytes = self.body(tag::OBJECT_IDENTIFIER)?;
        // UPSTREAM: a component has at most 31 bits (kube-apiserver 1.36).
        well_formed_oid(bytes, 31).then_some(bytes)
    }
}

impl<'a> BitString<'a> {
    /// The bits as a number of whole bytes, shifted so that the unused ones are in front.
    pub(super) fn right_aligned(&self) -> Box<[u8]> {
        let shift = u32::from(self.unused);
        let mut carry = 0;
        self.bytes
            .iter()
            .map(|&byte| {
                let wide = (u16::from(carry) << 8 | u16::from(byte)) >> shift;
                carry = byte;
                wide.to_be_bytes()[1]
            })
            .collect()
    }

    /// Bit `index`, counted from the left; false beyond the end.
    pub(super) fn bit(&self, index: usize) -> bool {
        self.bytes.get(index / 8).is_some_and(|byte| byte << (index % 8) & 0x80 != 0)
    }
}

/// Whether these are the contents of an object identifier: shortest form, no component cut off and
/// none wider than `max_bits`.
pub(super) fn well_formed_oid(bytes: &[u8], max_bits: u32) -> bool {
    let mut bits = 0;
    for &byte in bytes {
        if bits == 0 && byte == 0x80 {
            return false;
        }
        bits += if bits == 0 { 8 - (byte & 0x7f).leading_zeros() } else { 7 };
        if bits > max_bits {
            return false;
        }
        if byte & 0x80 == 0 {
            bits = 0;
        }
    }
    bytes.last().is_some_and(|last| last & 0x80 == 0)
}

fn shortest_integer(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [] => None,
        [0, next, ..] if next & 0x80 == 0 => None,
        [0xff, next, ..] if next & 0x80 != 0 => None,
        _ => Some(bytes),
    }
}
