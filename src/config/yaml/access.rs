//! What is inside a mapping or list as serde asks for it, item by item, through the repairs.
//!
//! This is where faults get their place: whatever fails while an item is read is put down to that
//! item unless something further inside has been named already.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::fault::{Fault, Site};
use super::filler::Filler;
use super::node::{Key, Node, Value};
use super::overlay::Probe;
use super::view::View;

/// A key that no configuration has.
const PROBE_KEY: &str = "\u{1}probe";

/// What the next value of a mapping is read from.
enum Next<'de> {
    Node(&'de Node),
    Filler(&'static str, usize),
    Probe(Probe),
}

/// The entries of a mapping in order, then its fillers.
pub(super) struct Entries<'de> {
    view: View<'de>,
    written: &'de [(Key, Node)],
    next: usize,
    next_filler: usize,
    probe: Option<Probe>,
    value: Option<Next<'de>>,
}

impl<'de> Entries<'de> {
    pub(super) fn new(view: View<'de>, written: &'de [(Key, Node)]) -> Self {
        let probe = view.overlay.probe_in(view.node);
        Self { view, written, next: 0, next_filler: 0, probe, value: None }
    }

    fn advance(&mut self) -> Option<(&'de str, Next<'de>)> {
        loop {
            if let Some(probe) = self.probe.take_if(|probe| probe.index == self.next) {
                return Some((PROBE_KEY, Next::Probe(probe)));
            }
            let Some((key, node)) = self.written.get(self.next) else { break };
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
            Some(Next::Node(node)) => {
                seed.deserialize(self.view.of(node)).map_err(|fault| fault.at(Site::Value(node.id)))
            }
            Some(Next::Filler(key, sample)) => seed
                .deserialize(Filler::new(sample))
                .map_err(|fault| fault.at(Site::Filler(mapping, key))),
            Some(Next::Probe(probe)) => {
                seed.deserialize(Foreign(probe)).map_err(|fault| fault.at(Site::Value(mapping)))
            }
            None => Err(Fault::custom("a value was asked for before its key")),
        }
    }
}

/// The items of a list in order.
pub(super) struct Items<'de> {
    view: View<'de>,
    written: &'de [Node],
    next: usize,
    probe: Option<Probe>,
}

impl<'de> Items<'de> {
    pub(super) fn new(view: View<'de>, written: &'de [Node]) -> Self {
        Self { view, written, next: 0, probe: view.overlay.probe_in(view.node) }
    }
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
            let Some(node) = self.written.get(self.next) else { return Ok(None) };
            self.next += 1;
            if !self.view.overlay.is_struck(node) {
                let outcome = seed.deserialize(self.view.of(node)).map(Some);
                return outcome.map_err(|fault| fault.at(Site::Value(node.id)));
            }
        }
    }
}

/// The single entry of a mapping that names a variant: `{ratio: {…}}`.
pub(super) struct Variant<'de> {
    key: &'de Key,
    view: View<'de>,
}

impl<'de> Variant<'de> {
    pub(super) fn new(key: &'de Key, view: View<'de>) -> Self {
        Self { key, view }
    }
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

impl de::IntoDeserializer<'_, Fault> for Empty {
    type Deserializer = de::value::SeqDeserializer<std::array::IntoIter<u8, 0>, Fault>;

    fn into_deserializer(self) -> Self::Deserializer {
        de::value::SeqDeserializer::new(self.0.into_iter())
    }
}
