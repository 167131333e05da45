//! What is expected of a fact: a value, or operators that must all hold.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value in an exercise or a fact: what was written or what was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Words; `$name` refers to a variable, `$name.fact` to another fact.
    Text(String),
    /// Several values, in order.
    List(Vec<Value>),
}

/// What a comparison expects; every operator that is present must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operators {
    /// Equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eq: Option<Value>,
    /// Present and not equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ne: Option<Value>,
    /// At least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gte: Option<Value>,
    /// At most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lte: Option<Value>,
    /// One of these.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// A list that has this, or all of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<Value>,
    /// A list that has not this, nor any of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<Value>,
    /// A path strictly below this directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under: Option<Value>,
    /// A list in which these appear in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Vec<Value>>,
    /// What is expected of the number of elements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Box<Expectation>>,
    /// Whether there is a value at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

/// What is expected of one fact; a bare value in the file means `eq`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation(pub Operators);

impl From<Value> for Expectation {
    fn from(value: Value) -> Self {
        Self(Operators {
            eq: Some(value),
            ..Operators::default()
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Text(t) => f.write_str(t),
            Self::List(l) => {
                f.write_str("[")?;
                for (i, value) in l.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, an integer, a text or a list of these")
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Int(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        i64::try_from(v)
            .map(Value::Int)
            .map_err(|_| E::custom(format_args!("{v} is too large")))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        Ok(Value::Text(v.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ExpectationVisitor;

impl<'de> Visitor<'de> for ExpectationVisitor {
    type Value = Expectation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or operators such as { gte: 1 }")
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Expectation, E> {
        ValueVisitor.visit_bool(v).map(Expectation::from)
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Expectation, E> {
        ValueVisitor.visit_i64(v).map(Expectation::from)
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Expectation, E> {
        ValueVisitor.visit_u64(v).map(Expectation::from)
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Expectation, E> {
        ValueVisitor.visit_str(v).map(Expectation::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Expectation, A::Error> {
        ValueVisitor.visit_seq(seq).map(Expectation::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expectation, A::Error> {
        Operators::deserialize(MapAccessDeserializer::new(map)).map(Expectation)
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpectationVisitor)
    }
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for Expectation {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Value>();
        let operators = generator.subschema_for::<Operators>();
        json_schema!({ "anyOf": [value, operators] })
    }
}
