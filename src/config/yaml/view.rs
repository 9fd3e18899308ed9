//! A tree as serde reads it, through the repairs of an [`Overlay`].
//!
//! Types are strict: a number is not a text and a text is not a number, a list is not a struct, and
//! nothing is not an empty mapping. Every fault carries the innermost node that was being read, so
//! it can be given a place. Buffered reading (tagged enums) goes through `deserialize_any`.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::fault::{Fault, Site};
use super::node::{Key, Node, Value};
use super::overlay::{Overlay, Probe};

/// A key that no configuration has.
pub(super) const PROBE_KEY: &str = "\u{1}probe";

/// A node to be read through the repairs.
#[derive(Clone, Copy)]
pub(super) struct View<'de> {
    pub(super) node: &'de Node,
    pub(super) overlay: &'de Overlay,
}

impl<'de> View<'de> {
    fn own<T>(self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        outcome.map_err(|fault| fault.at(Site::Value(self.node.id)))
    }

    fn of(self, node: &'de Node) -> Self {
        Self { node, overlay: self.overlay }
    }

    fn unexpected(self) -> Unexpected<'de> {
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

    fn entries<V: Visitor<'de>>(
        self,
        entries: &'de [(Key, Node)],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_map(Entries {
            view: self,
            entries,
            next: 0,
            next_filler: 0,
            probe: self.overlay.probe_in(self.node),
            value: None,
        })
    }

    fn any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Mapping(entries) => self.entries(entries, visitor),
            Value::Sequence(items) => visitor.visit_seq(Items {
                view: self,
                items,
                next: 0,
                probe: self.overlay.probe_in(self.node),
            }),
            Value::Text(text) => visitor.visit_borrowed_str(&text.value),
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
            Value::Mapping(entries) => self.entries(entries, visitor),
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
                        visitor.visit_enum(Variant { key, view: self.of(node) })
                    }
                    _ => Err(Fault::invalid_type(Unexpected::Map, &"a word or a single key")),
                }
            }
            _ => Err(Fault::invalid_type(self.unexpected(), &"a word or a single key")),
        }
    }
}

impl<'de> Deserializer<'de> for View<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
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
        unit_struct seq tuple tuple_struct identifier
    }
}

/// What the next value of a mapping is read from.
enum Next<'de> {
    Node(&'de Node),
    Filler(&'static str, usize),
    Probe(Probe),
}

/// The entries of a mapping in order, then its fillers.
struct Entries<'de> {
    view: View<'de>,
    entries: &'de [(Key, Node)],
    next: usize,
    next_filler: usize,
    probe: Option<Probe>,
    value: Option<Next<'de>>,
}

impl<'de> Entries<'de> {
    fn advance(&mut self) -> Option<(&'de str, Next<'de>)> {
        loop {
            if let Some(probe) = self.probe.take_if(|probe| probe.index == self.next) {
                return Some((PROBE_KEY, Next::Probe(probe)));
            }
            let Some((key, node)) = self.entries.get(self.next) else { break };
            self.next += 1;
            if !self.view.overlay.is_struck(node) {
                return Some((key.text(), Next::Node(node)));
            }
        }
        let (key, sample) = *self.view.overlay.fillers(self.view.node.id).get(self.next_filler)?;
        self.next_filler += 1;
        Some((key, Next::Filler(key, sample)))
    }

    fn site_of_key(&self, next: &Next<'de>) -> Site {
        match next {
            Next::Node(node) => Site::Key(node.id),
            Next::Filler(key, _) => Site::Filler(self.view.node.id, key),
            Next::Probe(_) => Site::Value(self.view.node.id),
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, next)) = self.advance() else { return Ok(None) };
        let site = self.site_of_key(&next);
        self.value = Some(next);
        seed.deserialize(KeyView(key)).map(Some).map_err(|fault| fault.at(site))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let mapping = self.view.node.id;
        match self.value.take() {
            Some(Next::Node(node)) => seed
                .deserialize(self.view.of(node))
                .map_err(|fault| fault.at(Site::Value(node.id))),
            Some(Next::Filler(key, sample)) => seed
                .deserialize(super::filler::Filler::new(sample))
                .map_err(|fault| fault.at(Site::Filler(mapping, key))),
            Some(Next::Probe(probe)) => seed
                .deserialize(Foreign(probe))
                .map_err(|fault| fault.at(Site::Value(mapping))),
            None => Err(Fault::custom("a value was asked for before its key")),
        }
    }
}

/// The items of a list in order.
struct Items<'de> {
    view: View<'de>,
    items: &'de [Node],
    next: usize,
    probe: Option<Probe>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        loop {
            if let Some(probe) = self.probe.take_if(|probe| probe.index == self.next) {
                let site = Site::Value(self.view.node.id);
                return seed.deserialize(Foreign(probe)).map(Some).map_err(|fault| fault.at(site));
            }
            let Some(node) = self.items.get(self.next) else { return Ok(None) };
            self.next += 1;
            if !self.view.overlay.is_struck(node) {
                let outcome = seed.deserialize(self.view.of(node)).map(Some);
                return outcome.map_err(|fault| fault.at(Site::Value(node.id)));
            }
        }
    }
}

/// The single entry of a mapping that names a variant: `{ratio: {…}}`.
struct Variant<'de> {
    key: &'de Key,
    view: View<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = View<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, View<'de>), Fault> {
        let name = seed
            .deserialize(KeyView(self.key.text()))
            .map_err(|fault| fault.at(Site::Key(self.view.node.id)))?;
        Ok((name, self.view))
    }
}

impl<'de> VariantAccess<'de> for View<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.node.value {
            Value::Null => Ok(()),
            _ => self.own(Err(Fault::invalid_type(self.unexpected(), &"unit"))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.own(seed.deserialize(self))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }
}

/// A key as serde reads it: a text, or a number where the type asks for one.
struct KeyView<'de>(&'de str);

macro_rules! number_keys {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.0.parse::<i64>() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for KeyView<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(BorrowedStrDeserializer::<Fault>::new(self.0))
    }

    number_keys! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The value of a probe: `{probe: []}` or `[[]]`, which no setting accepts.
struct Foreign(Probe);

impl<'de> Deserializer<'de> for Foreign {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let inner: [[u8; 0]; 1] = [[]];
        if self.0.is_list {
            visitor.visit_seq(de::value::SeqDeserializer::new(inner.into_iter().map(Empty)))
        } else {
            let entries = inner.into_iter().map(|_| (PROBE_KEY, Empty([])));
            visitor.visit_map(de::value::MapDeserializer::new(entries))
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// An empty list.
struct Empty([u8; 0]);

impl<'de> de::IntoDeserializer<'de, Fault> for Empty {
    type Deserializer = de::value::SeqDeserializer<std::array::IntoIter<u8, 0>, Fault>;

    fn into_deserializer(self) -> Self::Deserializer {
        de::value::SeqDeserializer::new(self.0.into_iter())
    }
}
