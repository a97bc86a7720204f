//! What fields a type has, asked of the type itself.
//!
//! A deserializer that never has any data tells each visitor "here is one of everything", and writes down the list of fields
//! that every struct names when it asks for its data. So no table of Kubernetes' fields is kept by hand.

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::cell::RefCell;
use std::fmt;

/// A struct somewhere in a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Where, as `spec.containers[].lifecycle`; the type itself is empty.
    pub path: String,
    /// The name of its type, as `Lifecycle`.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [&'static str],
}

/// All structs in `T`, outermost first.
#[must_use]
pub fn structs<'de, T: Deserialize<'de>>() -> Vec<Struct> {
    let found = RefCell::new(vec![]);
    let probe = Probe {
        found: &found,
        path: String::new(),
        depth: 0,
    };
    // Whether the type can be built from nothing does not matter.
    T::deserialize(probe).ok();
    found.into_inner()
}

/// The paths of all fields in `T`, as `spec.containers[].image`.
#[must_use]
pub fn paths<'de, T: Deserialize<'de>>() -> Vec<String> {
    let all = structs::<T>();
    let of = |s: &Struct| s.fields.iter().map(|f| join(&s.path, f)).collect::<Vec<_>>();
    all.iter().flat_map(of).collect()
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("probe")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Stop
    }
}

struct Probe<'a> {
    found: &'a RefCell<Vec<Struct>>,
    path: String,
    depth: usize,
}

impl Probe<'_> {
    fn at(&self, path: String) -> Self {
        Probe {
            found: self.found,
            path,
            depth: self.depth + 1,
        }
    }
}

/// A text that is also a time, so that a field of any text-like type can be read.
const TEXT: &str = "1970-01-01T00:00:00Z";

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_i64(0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_bool(false)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_f64(0.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(TEXT)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(TEXT)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let path = format!("{}[]", self.path);
        visitor.visit_seq(One(Some(self.at(path))))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let path = format!("{}{{}}", self.path);
        visitor.visit_map(Fields {
            probe: &self.at(path),
            fields: [""].iter(),
            current: String::new(),
            named: false,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        // A type that contains itself would never end.
        if self.depth > 16 {
            return Err(Stop);
        }
        self.found.borrow_mut().push(Struct {
            path: self.path.clone(),
            name,
            fields,
        });
        visitor.visit_map(Fields {
            probe: &self,
            fields: fields.iter(),
            current: String::new(),
            named: true,
        })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
        ignored_any
    }
}

struct One<'a>(Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        // An element that cannot be built is as good as none: its fields are written down by now.
        Ok(self.0.take().and_then(|probe| seed.deserialize(probe).ok()))
    }
}

struct Fields<'a, 'f> {
    probe: &'a Probe<'a>,
    fields: std::slice::Iter<'f, &'static str>,
    current: String,
    named: bool,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        // `apiVersion` and `kind` have one right value each, which is not known here.
        let skipped = |f: &str| self.probe.path.is_empty() && ["apiVersion", "kind"].contains(&f);
        let Some(field) = self.fields.find(|f| !skipped(f)) else {
            return Ok(None);
        };
        self.current = if self.named {
            join(&self.probe.path, field)
        } else {
            self.probe.path.clone()
        };
        seed.deserialize(de::value::StrDeserializer::<Stop>::new(field))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.probe.at(std::mem::take(&mut self.current)))
    }
}
