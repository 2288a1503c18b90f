//! From the tree to a type, with the place of what does not fit.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::node::{Key, Kind, Node};

/// Decodes a `T`; a field that `T` would ignore is an error, a `null` is the field left out (as Go
/// decodes it).
pub(super) fn strict<T: DeserializeOwned>(node: &Node) -> Result<T, DecodeError> {
    T::deserialize(Decoder(node))
}

/// What does not fit, and where.
#[derive(Debug)]
pub(super) struct DecodeError {
    /// The innermost first: errors are made inside and told outside.
    steps: Vec<Step>,
    pub(super) line: u64,
    pub(super) message: String,
}

#[derive(Debug)]
enum Step {
    Field(String),
    Index(usize),
}

impl DecodeError {
    /// `limits[0].qps`
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => {
                    path.push('.');
                    path.push_str(name);
                }
            }
        }
        path
    }

    /// The innermost line wins.
    fn at(mut self, line: u64) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }

    fn below(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { steps: Vec::new(), line: 0, message: message.to_string() }
    }
}

struct Decoder<'a>(&'a Node);

impl<'de> Decoder<'de> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Integer(value) => visitor.visit_i64(*value),
            Kind::Unsigned(value) => visitor.visit_u64(*value),
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::Text(value) => visitor.visit_borrowed_str(value),
            Kind::List(items) => visitor.visit_seq(Items { items, index: 0 }),
            Kind::Map(entries) => visitor.visit_map(Entries { entries, current: None }),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.0.kind, Kind::Null)
    }
}

impl<'de> Deserializer<'de> for Decoder<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let line = self.0.line;
        self.visit(visitor).map_err(|error| error.at(line))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() {
            return visitor.visit_seq(Items { items: &[], index: 0 });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() {
            return visitor.visit_map(Entries { entries: &[], current: None });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let line = self.0.line;
        // A derived visitor would take a sequence for the fields in their order.
        if let Kind::List(_) = self.0.kind {
            return Err(<DecodeError as serde::de::Error>::invalid_type(Unexpected::Seq, &visitor).at(line));
        }
        self.deserialize_map(visitor).map_err(|error| error.at(line))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() {
            return visitor.visit_borrowed_str("");
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let line = self.0.line;
        match &self.0.kind {
            Kind::Text(text) => visitor
                .visit_enum(IntoDeserializer::<DecodeError>::into_deserializer(text.as_str()))
                .map_err(|error| error.at(line)),
            // The visitor says what it wants instead.
            _ => self.deserialize_any(visitor),
        }
    }

    /// Only a field that the type does not know is skipped.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DecodeError> {
        Err(<DecodeError as serde::de::Error>::custom("unknown field").at(self.0.line))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        tuple tuple_struct identifier
    }
}

struct Items<'a> {
    items: &'a [Node],
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some((item, rest)) = self.items.split_first() else { return Ok(None) };
        let index = self.index;
        (self.items, self.index) = (rest, index + 1);
        seed.deserialize(Decoder(item))
            .map(Some)
            .map_err(|error| error.at(item.line).below(Step::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'a> {
    entries: &'a [(Key, Node)],
    current: Option<(&'a Key, &'a Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some(((key, value), rest)) = self.entries.split_first() else { return Ok(None) };
        self.entries = rest;
        self.current = Some((key, value));
        seed.deserialize(StrDeserializer::<DecodeError>::new(&key.name))
            .map(Some)
            .map_err(|error| error.at(key.line))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let Some((key, value)) = self.current.take() else {
            return Err(serde::de::Error::custom("a value without a key"));
        };
        seed.deserialize(Decoder(value))
            .map_err(|error| error.at(key.line).below(Step::Field(key.name.clone())))
    }
}
