//! Records as bytes.
//!
//! | what | bytes |
//! | --- | --- |
//! | record | epoch, version, place, hybrid time (8 bytes), dot, vector, whether it is deleted (a byte), version of its schema; then the count of its fields, and the fields |
//! | field | its name; flags; with 1 the hybrid time (8 bytes) and dot of its write, and the version that this made, without it those of the record; with 2 the vector of the others in it; its value |
//! | value | 0 if there is none; 1 `null`; 2 `false`; 3 `true`; 4 exponent and coefficient of a number; 5 text; 6 count and items; 7 count, and of each member its name and its value |
//!
//! Numbers, texts, dots and vectors are those of [`syncline_core::codec`]; a coefficient is 16 bytes, big-endian, with its zeros at
//! the front cut off and the count of what is left before it. A deeper value than a request may hold is none.

use std::collections::BTreeMap;

use syncline_core::clock::{Dot, HybridTime, VectorClock};
use syncline_core::codec::{Codec, DecodeError, Reader, write_var};
use syncline_core::entity::{Decimal, Epoch, FieldName, Record, RecordVersion, Sequence, Slot, Stamp, Value};
use syncline_core::limits::VALUE_DEPTH_MAX;

/// The field is not of the last change of the record.
const OLDER: u8 = 1;
/// The field holds other writes, too.
const OTHERS: u8 = 2;

pub(super) fn encode(record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let out = &mut out;
    for number in [record.epoch.0, record.ver.0, record.seq.0] {
        write_var(number, out);
    }
    out.extend(record.hlc.to_bits().to_be_bytes());
    record.dot.encode(out);
    record.vv.encode(out);
    record.deleted.encode(out);
    write_var(record.schema_v.into(), out);
    write_var(record.fields.len() as u64, out);
    for (name, slot) in &record.fields {
        text(name.as_str(), out);
        let is_older = slot.stamp != record.stamp() || slot.ver != record.ver;
        let has_others = !slot.others.is_empty();
        out.push((u8::from(is_older) * OLDER) | (u8::from(has_others) * OTHERS));
        if is_older {
            out.extend(slot.stamp.hlc.to_bits().to_be_bytes());
            slot.stamp.dot.encode(out);
            write_var(slot.ver.0, out);
        }
        if has_others {
            slot.others.encode(out);
        }
        match &slot.value {
            None => out.push(0),
            Some(value) => encode_value(value, out),
        }
    }
    std::mem::take(out)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let reader = &mut Reader::new(bytes);
    let (epoch, ver, seq) = (Epoch(reader.var()?), RecordVersion(reader.var()?), Sequence(reader.var()?));
    let hlc = HybridTime::from_bits(reader.fixed()?);
    let dot = Dot::decode(reader)?;
    let vv = VectorClock::decode(reader)?;
    let deleted = bool::decode(reader)?;
    let schema_v = u32::try_from(reader.var()?).map_err(|_| DecodeError::Range { at: reader.at() })?;
    let mut fields = Vec::with_capacity(reader.count(3)?);
    for _ in 0..fields.capacity() {
        let name = FieldName::new(read_text(reader)?).map_err(|_| DecodeError::Range { at: reader.at() })?;
        let flags = reader.byte()?;
        if flags > (OLDER | OTHERS) {
            return Err(DecodeError::Range { at: reader.at() });
        }
        let (stamp, ver) = if flags & OLDER != 0 {
            let hlc = HybridTime::from_bits(reader.fixed()?);
            (Stamp { hlc, dot: Dot::decode(reader)? }, RecordVersion(reader.var()?))
        } else {
            (Stamp { hlc, dot }, ver)
        };
        let others = if flags & OTHERS != 0 { VectorClock::decode(reader)? } else { VectorClock::new() };
        fields.push((name, Slot { value: decode_value(reader, 0)?, stamp, ver, others }));
    }
    reader.clone().finish()?;
    Ok(Record { epoch, ver, seq, vv, dot, hlc, deleted, fields: fields.into_iter().collect(), schema_v })
}

fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(1),
        Value::Bool(is) => out.push(2 + u8::from(*is)),
        Value::Number(number) => {
            let (coefficient, exponent) = number.parts();
            out.push(4);
            i64::from(exponent).encode(out);
            // The sign is the last bit.
            let bits = coefficient.unsigned_abs() << 1 | u128::from(coefficient < 0);
            let zeros = bits.leading_zeros() as usize / 8;
            out.push(16 - zeros as u8);
            out.extend_from_slice(&bits.to_be_bytes()[zeros..]);
        }
        Value::Text(it) => {
            out.push(5);
            text(it, out);
        }
        Value::List(items) => {
            out.push(6);
            write_var(items.len() as u64, out);
            items.iter().for_each(|item| encode_value(item, out));
        }
        Value::Map(members) => {
            out.push(7);
            write_var(members.len() as u64, out);
            for (name, member) in members {
                text(name, out);
                encode_value(member, out);
            }
        }
    }
}

fn decode_value(reader: &mut Reader<'_>, depth: usize) -> Result<Option<Value>, DecodeError> {
    if depth > VALUE_DEPTH_MAX {
        return Err(DecodeError::Range { at: reader.at() });
    }
    let item = |reader: &mut Reader<'_>| {
        decode_value(reader, depth + 1)?.ok_or(DecodeError::Range { at: reader.at() })
    };
    Ok(Some(match reader.byte()? {
        0 => return Ok(None),
        1 => Value::Null,
        2 => Value::Bool(false),
        3 => Value::Bool(true),
        4 => Value::Number(decode_number(reader)?),
        5 => Value::Text(read_text(reader)?.to_owned()),
        6 => {
            let count = reader.count(1)?;
            Value::List((0..count).map(|_| item(reader)).collect::<Result<_, _>>()?)
        }
        7 => {
            let count = reader.count(2)?;
            let member = |_| Ok((read_text(reader)?.to_owned(), item(reader)?));
            Value::Map((0..count).map(member).collect::<Result<BTreeMap<_, _>, _>>()?)
        }
        _ => return Err(DecodeError::Range { at: reader.at() }),
    }))
}

fn decode_number(reader: &mut Reader<'_>) -> Result<Decimal, DecodeError> {
    let exponent = i32::try_from(i64::decode(reader)?);
    let length = usize::from(reader.byte()?).min(17);
    let bits = reader.take(length)?.iter().fold(0, |bits: u128, &byte| bits << 8 | u128::from(byte));
    let size = i128::try_from(bits >> 1);
    let out_of_range = DecodeError::Range { at: reader.at() };
    let (Ok(exponent), Ok(size), true) = (exponent, size, length <= 16) else { return Err(out_of_range) };
    Decimal::from_parts(if bits & 1 == 1 { -size } else { size }, exponent).ok_or(out_of_range)
}

fn text(text: &str, out: &mut Vec<u8>) {
    write_var(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn read_text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let length = reader.count(1)?;
    std::str::from_utf8(reader.take(length)?).map_err(|_| DecodeError::Text { at: reader.at() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use syncline_core::clock::ReplicaId;

    use super::*;

    fn number() -> impl Strategy<Value = Decimal> {
        let small = any::<i16>().prop_map(i128::from);
        let coefficient = prop_oneof![small, -(10_i128.pow(36) - 1)..10_i128.pow(36)];
        (coefficient, -300..300_i32).prop_filter_map("in range", |(c, e)| Decimal::from_parts(c, e))
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number().prop_map(Value::Number),
            ".{0,9}".prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map(".{0,3}", inner, 0..4).prop_map(Value::Map),
            ]
        })
    }

    fn record() -> impl Strategy<Value = Record> {
        let stamp = (0..9_u64, 0..3_u64, 1..5_u64).prop_map(|(hlc, r, n)| Stamp {
            hlc: HybridTime::from_bits(hlc),
            dot: Dot::new(ReplicaId(r), n),
        });
        let others = prop::collection::btree_map(0..3_u64, 1..9_u64, 0..3);
        let slot = (prop::option::of(value()), stamp.clone(), 1..3_u64, others).prop_map(
            |(value, stamp, ver, others)| {
                let others = others.into_iter().map(|(replica, n)| (ReplicaId(replica), n)).collect();
                Slot { value, stamp, ver: RecordVersion(ver), others }
            },
        );
        let name = "[a-zé]{1,4}".prop_map(|name| FieldName::new(&name).expect("a name"));
        let fields = prop::collection::btree_map(name, slot, 0..5);
        (stamp, fields, any::<bool>(), 1..3_u64, any::<u32>()).prop_map(
            |(stamp, fields, deleted, ver, schema_v)| {
                let mut vv = VectorClock::new();
                vv.raise(stamp.dot);
                let (epoch, ver, seq) = (Epoch(1), RecordVersion(ver), Sequence(u64::MAX));
                Record { epoch, ver, seq, vv, dot: stamp.dot, hlc: stamp.hlc, deleted, fields, schema_v }
            },
        )
    }

    proptest! {
        #[test]
        fn records_come_back(record in record(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
            let bytes = encode(&record);
            prop_assert_eq!(decode(&bytes), Ok(record));
            prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] = with;
            // Whatever it is, it is no panic.
            drop(decode(&changed));
        }
    }

    #[test]
    fn a_deep_value_is_none() {
        let (stamp, ver) =
            (Stamp { hlc: HybridTime::from_bits(1), dot: Dot::new(ReplicaId(1), 1) }, RecordVersion(1));
        let deep = |depth| (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let check = |depth| {
            let slot = Slot { value: Some(deep(depth)), stamp, ver, others: VectorClock::new() };
            let fields = [(FieldName::new("a").expect("a name"), slot)].into();
            let (epoch, seq, vv) = (Epoch(1), Sequence(1), VectorClock::new());
            let record = Record {
                epoch,
                ver,
                seq,
                vv,
                dot: stamp.dot,
                hlc: stamp.hlc,
                deleted: false,
                fields,
                schema_v: 1,
            };
            decode(&encode(&record)).is_ok()
        };
        assert_eq!([VALUE_DEPTH_MAX, VALUE_DEPTH_MAX + 1].map(check), [true, false]);
    }
}
