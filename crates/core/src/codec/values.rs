//! The bytes of plain values.

use alloc::{borrow::ToOwned, boxed::Box, string::String, sync::Arc, vec::Vec};

use super::{Codec, DecodeError, Reader, write_var};

macro_rules! unsigned {
    ($($number:ty)*) => {$(
        impl Codec for $number {
            const BYTES_MIN: usize = 1;

            fn encode(&self, out: &mut Vec<u8>) {
                write_var((*self).into(), out);
            }

            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.var()?.try_into().map_err(|_| DecodeError::Range { at: reader.at() })
            }
        }
    )*};
}

macro_rules! signed {
    ($($number:ty)*) => {$(
        impl Codec for $number {
            const BYTES_MIN: usize = 1;

            fn encode(&self, out: &mut Vec<u8>) {
                let wide = i64::from(*self);
                write_var((wide << 1 ^ wide >> 63).cast_unsigned(), out);
            }

            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let folded = reader.var()?;
                let wide = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
                wide.try_into().map_err(|_| DecodeError::Range { at: reader.at() })
            }
        }
    )*};
}

macro_rules! tuple {
    ($($part:ident $index:tt),*) => {
        impl<$($part: Codec),*> Codec for ($($part,)*) {
            const BYTES_MIN: usize = 0 $(+ $part::BYTES_MIN)*;

            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)*
            }

            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(($($part::decode(reader)?,)*))
            }
        }
    };
}

unsigned! { u16 u32 u64 }
signed! { i8 i16 i32 i64 }
tuple! { A 0, B 1 }
tuple! { A 0, B 1, C 2 }
tuple! { A 0, B 1, C 2, D 3 }

impl Codec for u8 {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.byte()
    }
}

impl Codec for bool {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            2.. => Err(DecodeError::Range { at: reader.at() }),
        }
    }
}

impl Codec for char {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        u32::from(*self).encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_u32(u32::decode(reader)?).ok_or(DecodeError::Range { at: reader.at() })
    }
}

impl Codec for String {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        encode_text(self, out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        decode_text(reader).map(ToOwned::to_owned)
    }
}

impl Codec for Arc<str> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        encode_text(self, out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        decode_text(reader).map(Self::from)
    }
}

impl<T: Codec> Codec for Box<T> {
    const BYTES_MIN: usize = T::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Self::new)
    }
}

impl<T: Codec> Codec for Option<T> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        self.iter().for_each(|value| value.encode(out));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if bool::decode(reader)? { T::decode(reader).map(Some) } else { Ok(None) }
    }
}

impl<T: Codec> Codec for Vec<T> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        write_var(self.len() as u64, out);
        self.iter().for_each(|item| item.encode(out));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(T::BYTES_MIN)?;
        // Not with this capacity at once: an item may be much larger than its bytes, and the bytes may be wrong.
        (0..count).map(|_| T::decode(reader)).collect()
    }
}

impl<T: Codec, const N: usize> Codec for [T; N] {
    const BYTES_MIN: usize = if N == 0 { 1 } else { N * T::BYTES_MIN };

    fn encode(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.encode(out));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let items: Result<Vec<T>, DecodeError> = (0..N).map(|_| T::decode(reader)).collect();
        items?.try_into().map_err(|_| DecodeError::Range { at: reader.at() })
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    write_var(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn decode_text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let len = reader.count(1)?;
    let bytes = reader.take(len)?;
    core::str::from_utf8(bytes).map_err(|_| DecodeError::Text { at: reader.at() })
}
