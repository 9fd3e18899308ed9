//! A tree as serde reads it, through the repairs of an [`Overlay`].
//!
//! Types are strict: a number is not a text and a text is not a number, a list is not a struct, and
//! nothing is not an empty mapping. Every fault carries the innermost node that was being read, so
//! it can be given a place. Buffered reading (tagged enums) goes through `deserialize_any`.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, Error as _, Expected, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{Entries, Items, Variant};
use super::fault::{Fault, Site};
use super::node::{Node, Value};
use super::overlay::Overlay;

/// What an enum is written as.
const WORD_OR_KEY: &str = "a word or a mapping with one key";

/// A node to be read through the repairs.
#[derive(Clone, Copy)]
pub(super) struct View<'de> {
    pub(super) node: &'de Node,
    pub(super) overlay: &'de Overlay,
}

impl<'de> View<'de> {
    /// Puts a fault down to this node unless something inside it has been named.
    pub(super) fn own<T>(self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        outcome.map_err(|fault| fault.at(Site::Value(self.node.id)))
    }

    /// Another node through the same repairs.
    pub(super) fn of(self, node: &'de Node) -> Self {
        Self { node, overlay: self.overlay }
    }

    /// The node in serde's words.
    pub(super) fn unexpected(self) -> Unexpected<'de> {
        match &self.node.value {
            Value::Mapping(_) => Unexpected::Map,
            Value::Sequence(_) => Unexpected::Seq,
            Value::Text(text) => Unexpected::Str(&text.value),
            Value::Integer(value, written) => {
                i64::try_from(*value).map_or(Unexpected::Other(written), Unexpected::Signed)
            }
            Value::Float(value, _) => Unexpected::Float(*value),
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Null => Unexpected::Unit,
        }
    }

    fn any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Mapping(entries) => visitor.visit_map(Entries::new(self, entries)),
            Value::Sequence(items) => visitor.visit_seq(Items::new(self, items)),
            Value::Text(text) => visitor.visit_borrowed_str(&text.value),
            Value::Integer(_, written) | Value::Float(_, written)
                if self.overlay.as_text == Some(self.node.id) =>
            {
                visitor.visit_borrowed_str(written)
            }
            Value::Integer(value, written) => {
                if let Ok(value) = i64::try_from(*value) {
                    visitor.visit_i64(value)
                } else if let Ok(value) = u64::try_from(*value) {
                    visitor.visit_u64(value)
                } else {
                    Err(Fault::invalid_value(Unexpected::Other(written), &"a smaller number"))
                }
            }
            Value::Float(value, _) => visitor.visit_f64(*value),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Null => visitor.visit_unit(),
        }
    }

    fn mapping<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Mapping(entries) => visitor.visit_map(Entries::new(self, entries)),
            _ => Err(Fault::invalid_type(self.unexpected(), &"a map")),
        }
    }

    fn variant<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(text) => {
                visitor.visit_enum(BorrowedStrDeserializer::<Fault>::new(&text.value))
            }
            Value::Mapping(entries) => {
                let mut live = entries.iter().filter(|(_, node)| !self.overlay.is_struck(node));
                let probed = self.overlay.probe_in(self.node).is_some();
                match (live.next(), live.next()) {
                    (Some((key, node)), None) if !probed => {
                        visitor.visit_enum(Variant::new(key, self.of(node)))
                    }
                    (None, _) => {
                        let found = Unexpected::Other("an empty mapping");
                        Err(Fault::invalid_type(found, &WORD_OR_KEY))
                    }
                    _ => {
                        let found = Unexpected::Other("a mapping with several keys");
                        Err(Fault::invalid_type(found, &WORD_OR_KEY))
                    }
                }
            }
            _ => Err(Fault::invalid_type(self.unexpected(), &WORD_OR_KEY)),
        }
    }
}

impl<'de> Deserializer<'de> for View<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        // serde takes a list for a tagged enum, the first item being the tag; nobody means that.
        let wanted: &dyn Expected = &visitor;
        if matches!(self.node.value, Value::Sequence(_))
            && wanted.to_string().starts_with("internally tagged enum")
        {
            return self.own(Err(Fault::invalid_type(Unexpected::Seq, &"a map")));
        }
        self.own(self.any(visitor))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.own(self.any(visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.own(self.mapping(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.own(self.mapping(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.own(self.variant(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct identifier
    }
}
