//! Numbers and times as operators write them.

use alloc::format;
use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::entity::Decimal;

/// A length of time: milliseconds, or a whole number of `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duration {
    pub(super) ms: u64,
}

/// The units, each a multiple of the one before.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Duration {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let &(_, unit_ms) = UNITS.iter().find(|(known, _)| *known == unit)?;
        Some(Self { ms: number.parse::<u64>().ok()?.checked_mul(unit_ms)? })
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fits = |(_, unit_ms): &&(&str, u64)| self.ms.is_multiple_of(*unit_ms);
        let (unit, unit_ms) = UNITS.iter().rev().find(fits).expect("milliseconds fit");
        serializer.collect_str(&format_args!("{}{unit}", self.ms / unit_ms))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"90d\", or milliseconds")
    }

    fn visit_u64<E: Error>(self, ms: u64) -> Result<Duration, E> {
        Ok(Duration { ms })
    }

    fn visit_i64<E: Error>(self, ms: i64) -> Result<Duration, E> {
        let ms = u64::try_from(ms).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(ms), &self))?;
        Ok(Duration { ms })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        Duration::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// A bound: a number, or a text where a float would not show it.
pub(super) mod bound {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Exact;
    use crate::entity::Decimal;

    pub(in super::super) fn serialize<S: Serializer>(
        bound: &Option<Decimal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bound.map(Exact).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Decimal>, D::Error> {
        Ok(Option::<Exact>::deserialize(deserializer)?.map(|bound| bound.0))
    }
}

struct Exact(Decimal);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let double = self.0.to_double();
        match self.0.to_whole() {
            Some(whole) => serializer.serialize_i64(whole),
            None if Decimal::from_double(double) == Some(self.0) => serializer.serialize_f64(double),
            None => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExactVisitor)
    }
}

struct ExactVisitor;

impl Visitor<'_> for ExactVisitor {
    type Value = Exact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a text that shows one")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Exact, E> {
        Ok(Exact(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Exact, E> {
        self.visit_str(&format!("{number}"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Exact, E> {
        let unexpected = || E::invalid_value(serde::de::Unexpected::Float(number), &self);
        Decimal::from_double(number).map(Exact).ok_or_else(unexpected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Exact, E> {
        let unexpected = |_| E::invalid_value(serde::de::Unexpected::Str(text), &self);
        Decimal::parse(text).map(Exact).map_err(unexpected)
    }
}
