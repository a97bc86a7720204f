//! The bytes in which a shell hands its state and a command over to a copy of itself.
//!
//! There is no `fork`: a subshell is a new process that reads these bytes from a pipe. Both sides are the same program,
//! so there is no version and no schema: fields in order, lengths and numbers as fixed little-endian words.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is left to decode.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    /// Takes that many bytes off the front.
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

/// Something that can be handed over.
pub(crate) trait Codec: Sized {
    /// Appends it to the bytes.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads it back; `None` if the bytes are not ours.
    fn get(input: &mut Input<'_>) -> Option<Self>;
}

macro_rules! codec_int {
    ($($t:ty),*) => {$(
        impl Codec for $t {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn get(input: &mut Input<'_>) -> Option<Self> {
                Some(<$t>::from_le_bytes(input.take(size_of::<$t>())?.try_into().ok()?))
            }
        }
    )*};
}
codec_int!(u8, u32, i32, u64, i64);

impl Codec for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        Some(u8::get(input)? != 0)
    }
}

fn put_len(len: usize, out: &mut Vec<u8>) {
    u32::try_from(len).unwrap_or(u32::MAX).put(out);
}

impl Codec for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        let len = u32::get(input)? as usize;
        String::from_utf8(input.take(len)?.to_vec()).ok()
    }
}

impl<T: Codec> Codec for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        (0..u32::get(input)?).map(|_| T::get(input)).collect()
    }
}

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        (0..u32::get(input)?)
            .map(|_| Some((K::get(input)?, V::get(input)?)))
            .collect()
    }
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        Some((A::get(input)?, B::get(input)?))
    }
}

impl<T: Codec> Codec for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        Some(if bool::get(input)? { Some(T::get(input)?) } else { None })
    }
}

impl<T: Codec> Codec for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        T::get(input).map(Box::new)
    }
}

impl<T: Codec> Codec for Rc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        T::get(input).map(Rc::new)
    }
}

impl<T: Codec> Codec for OnceCell<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.get().is_some().put(out);
        if let Some(value) = self.get() {
            value.put(out);
        }
    }
    fn get(input: &mut Input<'_>) -> Option<Self> {
        let cell = OnceCell::new();
        if bool::get(input)? {
            cell.set(T::get(input)?).ok()?;
        }
        Some(cell)
    }
}

/// Declares a struct that can be handed over.
macro_rules! codec_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty,)* }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $type,)* }
        impl $crate::shell::codec::Codec for $name {
            fn put(&self, out: &mut Vec<u8>) { $($crate::shell::codec::Codec::put(&self.$field, out);)* }
            fn get(input: &mut $crate::shell::codec::Input<'_>) -> Option<Self> {
                Some(Self { $($field: $crate::shell::codec::Codec::get(input)?,)* })
            }
        }
    };
}

/// Declares an enum that can be handed over; each variant has named fields and its tag.
macro_rules! codec_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $tag:literal { $($(#[$fmeta:meta])* $field:ident : $type:ty),* },)*
    }) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$vmeta])* $variant { $($(#[$fmeta])* $field: $type),* },)* }
        impl $crate::shell::codec::Codec for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant { $($field),* } => {
                        out.push($tag);
                        $($crate::shell::codec::Codec::put($field, out);)*
                    })*
                }
            }
            fn get(input: &mut $crate::shell::codec::Input<'_>) -> Option<Self> {
                Some(match <u8 as $crate::shell::codec::Codec>::get(input)? {
                    $($tag => Self::$variant { $($field: $crate::shell::codec::Codec::get(input)?),* },)*
                    _ => return None,
                })
            }
        }
    };
}

pub(crate) use {codec_enum, codec_struct};
