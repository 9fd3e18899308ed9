//! A stand-in for the value of a missing key, so that the keys missing after it are found as well.
//!
//! serde reports one missing key and stops. A filler answers whatever the type asks for with
//! something of that kind; where a type wants a text of a certain form, the samples are tried in
//! turn. What is decoded with a filler is thrown away: it only ever serves to find more problems.

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, value::SeqDeserializer};
use serde::de::{Deserializer, EnumAccess, Error as _, IntoDeserializer, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::fault::Fault;

/// How many samples there are.
pub(super) const SAMPLES: usize = TEXTS.len() + 3;
/// Texts of the forms that settings have: a word, a duration, a size, a date, a path, a time, a URL.
const TEXTS: [&str; 8] =
    ["filler", "1m", "1MiB", "2024-01-01", "/filler", "00:00", "1", "http://127.0.0.1:1/"];
/// Types may hold themselves; a filler does not follow them for ever.
const MAX_DEPTH: usize = 8;

/// Answers any request with the sample of its number.
#[derive(Clone, Copy)]
pub(super) struct Filler {
    sample: usize,
    depth: usize,
}

impl Filler {
    pub(super) fn new(sample: usize) -> Self {
        Self { sample, depth: 0 }
    }

    fn inside(self) -> Result<Self, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::custom("a type that holds itself"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn text(self) -> &'static str {
        TEXTS.get(self.sample).copied().unwrap_or(TEXTS[0])
    }
}

impl IntoDeserializer<'_, Fault> for Filler {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! answer {
    ($($visit:ident $arguments:tt: $($method:ident)*;)*) => {$($(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit $arguments
        }
    )*)*};
}

impl<'de> Deserializer<'de> for Filler {
    type Error = Fault;

    answer! {
        visit_u64(1): deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
            deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
            deserialize_u128;
        visit_f64(1.0): deserialize_f32 deserialize_f64;
        visit_bool(true): deserialize_bool;
        visit_none(): deserialize_option;
        visit_unit(): deserialize_unit deserialize_ignored_any;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.sample.checked_sub(TEXTS.len()) {
            None => visitor.visit_str(self.text()),
            Some(0) => visitor.visit_u64(1),
            Some(1) => visitor.visit_bool(true),
            Some(_) => visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<Self>())),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<Self>()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, Self)>()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let inside = self.inside()?;
        visitor.visit_map(MapDeserializer::new(fields.iter().map(|field| (*field, inside))))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let name = variants.first().copied().unwrap_or_default();
        visitor.visit_enum(FillerVariant { name, filler: self.inside()? })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        char bytes byte_buf unit_struct tuple tuple_struct identifier
    }
}

/// The first variant of an enum, filled.
struct FillerVariant {
    name: &'static str,
    filler: Filler,
}

impl<'de> EnumAccess<'de> for FillerVariant {
    type Error = Fault;
    type Variant = Filler;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Filler), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.filler))
    }
}

impl<'de> VariantAccess<'de> for Filler {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_struct("", fields, visitor)
    }
}
