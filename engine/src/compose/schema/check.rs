//! A document held against the rows: the first thing that does not fit is the error.

use serde_json::{Map, Number, Value};

use super::sections::{DOCUMENT, INCLUDE};
use super::{Kind, Row};
use crate::compose::error::ComposeError;
use crate::compose::normal::plain;

/// Checks documents and remembers what their reader should be told.
#[derive(Debug, Default)]
pub(in crate::compose) struct Checker {
    /// Sentences for stderr.
    pub(in crate::compose) warnings: Vec<String>,
}

impl Checker {
    /// Checks a whole document; texts become what they mean.
    pub(in crate::compose) fn document(&mut self, value: &mut Value) -> Result<(), ComposeError> {
        self.map(value, DOCUMENT, "")
    }

    /// Checks one entry of `include`.
    pub(in crate::compose) fn include(
        &mut self,
        value: &mut Value,
        at: &str,
    ) -> Result<(), ComposeError> {
        self.value(value, &INCLUDE, at)
    }

    fn value(&mut self, value: &mut Value, kind: &Kind, at: &str) -> Result<(), ComposeError> {
        let must = |what: &str| Err(ComposeError::schema(at, format!("must be a {what}")));
        match kind {
            Kind::Any => Ok(()),
            Kind::Text => match value {
                Value::String(_) => Ok(()),
                _ => must("string"),
            },
            Kind::Scalar => match value {
                Value::Array(_) | Value::Object(_) => must("string, number, boolean or null"),
                _ => Ok(()),
            },
            Kind::Size | Kind::TextOrNumber => match value {
                Value::String(_) | Value::Number(_) => Ok(()),
                _ => must("number or string"),
            },
            Kind::Flag => self.flag(value, at),
            Kind::Whole => whole(value, at),
            Kind::Decimal => decimal(value, at),
            Kind::Word(words) => match value {
                Value::String(text) if words.contains(&text.as_str()) => Ok(()),
                Value::String(_) => Err(ComposeError::schema(
                    at,
                    format!("must be one of the following: {}", quoted(words)),
                )),
                _ => must("string"),
            },
            Kind::List(kind) => match value {
                Value::Array(_) => self.items(value, kind, at),
                Value::Null => {
                    *value = Value::Array(Vec::new());
                    Ok(())
                }
                _ => must("list"),
            },
            Kind::Texts | Kind::Command => match value {
                Value::Null if matches!(kind, Kind::Command) => Ok(()),
                Value::String(_) => Ok(()),
                Value::Array(_) => self.items(value, &Kind::Text, at),
                _ => must("string or a list"),
            },
            Kind::Pairs => pairs(value, at),
            Kind::Names(kind, may_be_empty) => match value {
                Value::Array(_) => self.items(value, &Kind::Text, at),
                Value::Null => Ok(()),
                Value::Object(members) => {
                    for (name, member) in members {
                        if !(*may_be_empty && member.is_null()) {
                            self.value(member, kind, &format!("{at}.{name}"))?;
                        }
                    }
                    Ok(())
                }
                _ => must("list or a mapping"),
            },
            Kind::TextOr(kind) => match value {
                Value::String(_) => Ok(()),
                // The reference names one of the possible kinds too.
                Value::Array(_) | Value::Number(_) | Value::Bool(_)
                    if matches!(kind, Kind::Map(_)) =>
                {
                    must("string")
                }
                _ => self.value(value, kind, at),
            },
            Kind::NumberOr(kind) => match value {
                Value::Number(_) => Ok(()),
                Value::String(_) => whole(value, at),
                Value::Object(_) => self.value(value, kind, at),
                _ => must("number"),
            },
            Kind::TextOrList(kind) => match value {
                Value::String(_) => Ok(()),
                Value::Array(_) => self.items(value, kind, at),
                _ => must("string"),
            },
            Kind::Dictionary(kind) => match value {
                Value::Object(members) => {
                    members.retain(|key, _| !key.starts_with("x-") || at == "services");
                    for (name, member) in members {
                        self.value(member, kind, &format!("{at}.{name}"))?;
                    }
                    Ok(())
                }
                _ => must("mapping"),
            },
            Kind::Map(rows) => self.map(value, rows, at),
            Kind::Nullable(_) if value.is_null() => Ok(()),
            Kind::Nullable(kind) => self.value(value, kind, at),
            Kind::Refused(why) => Err(ComposeError::invalid(at, *why)),
        }
    }

    fn items(&mut self, value: &mut Value, kind: &Kind, at: &str) -> Result<(), ComposeError> {
        for (index, item) in value.as_array_mut().into_iter().flatten().enumerate() {
            self.value(item, kind, &format!("{at}.{index}"))?;
        }
        Ok(())
    }

    fn map(&mut self, value: &mut Value, rows: &[Row], at: &str) -> Result<(), ComposeError> {
        let Value::Object(members) = value else {
            return Err(ComposeError::schema(at, "must be a mapping"));
        };
        members.retain(|key, _| !key.starts_with("x-"));
        required(members, rows, at)?;
        for (key, member) in members {
            let Some(row) = rows.iter().find(|row| row.key == key) else {
                let at = if at.is_empty() { "(root)" } else { at };
                return Err(ComposeError::schema(
                    at,
                    format!("Additional property {key} is not allowed"),
                ));
            };
            let at = match at {
                "" => key.clone(),
                at => format!("{at}.{key}"),
            };
            self.value(member, &row.kind, &at)?;
            if !row.idle.is_empty() {
                self.warnings.push(format!("{at} {}", row.idle));
            }
        }
        Ok(())
    }

    /// A boolean, or one of the words YAML 1.1 had for it.
    fn flag(&mut self, value: &mut Value, at: &str) -> Result<(), ComposeError> {
        let Value::String(text) = value else {
            return match value {
                Value::Bool(_) => Ok(()),
                _ => Err(ComposeError::schema(at, "must be a boolean or string")),
            };
        };
        let is = match text.to_lowercase().as_str() {
            "true" => true,
            "false" => false,
            word @ ("y" | "yes" | "on" | "n" | "no" | "off") => {
                let is = matches!(word, "y" | "yes" | "on");
                self.warnings.push(format!(
                    "\"{text}\" for boolean is not supported by YAML 1.2, please use `{is}`"
                ));
                is
            }
            _ => return Err(uncast(at, &format!("invalid boolean: {text}"))),
        };
        *value = Value::Bool(is);
        Ok(())
    }
}

fn required(members: &Map<String, Value>, rows: &[Row], at: &str) -> Result<(), ComposeError> {
    match rows
        .iter()
        .find(|row| row.is_required && !members.contains_key(row.key))
    {
        None => Ok(()),
        Some(row) => Err(ComposeError::schema(at, format!("{} is required", row.key))),
    }
}

/// The reference casts what variables leave before it checks it.
fn uncast(at: &str, why: &str) -> ComposeError {
    ComposeError::Cast {
        at: at.to_owned(),
        why: why.to_owned(),
    }
}

fn whole(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(()),
        Value::Number(number) => match number.as_f64() {
            Some(decimal) if decimal.fract() == 0.0 && decimal.abs() < 1e15 => {
                *value = (decimal as i64).into();
                Ok(())
            }
            _ => Err(ComposeError::schema(at, "must be a integer")),
        },
        Value::String(text) => match text.trim().parse::<i64>() {
            Ok(number) => {
                *value = number.into();
                Ok(())
            }
            Err(_) => Err(uncast(
                at,
                &format!("strconv.Atoi: parsing \"{text}\": invalid syntax"),
            )),
        },
        _ => Err(ComposeError::schema(at, "must be a number or string")),
    }
}

fn decimal(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    match value {
        Value::Number(_) => Ok(()),
        Value::String(text) => match text.trim().parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => {
                *value = Value::Number(number);
                Ok(())
            }
            None => Err(uncast(
                at,
                &format!("strconv.ParseFloat: parsing \"{text}\": invalid syntax"),
            )),
        },
        _ => Err(ComposeError::schema(at, "must be a number or string")),
    }
}

fn pairs(value: &Value, at: &str) -> Result<(), ComposeError> {
    match value {
        Value::Null => Ok(()),
        Value::Array(items) => match items.iter().position(|item| !item.is_string()) {
            None => Ok(()),
            Some(index) => Err(ComposeError::invalid(
                format!("{at}.[{index}]"),
                "unexpected type: must be a text NAME=value",
            )),
        },
        Value::Object(members) => {
            match members
                .iter()
                .find(|(_, member)| !member.is_null() && plain(member).is_none())
            {
                None => Ok(()),
                Some((name, _)) => Err(ComposeError::schema(
                    format!("{at}.{name}"),
                    "must be a string, number, boolean or null",
                )),
            }
        }
        _ => Err(ComposeError::schema(at, "must be a mapping")),
    }
}

fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(", ")
}
