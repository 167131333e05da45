//! The functions of templates: Go's own and Docker's.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::escape;
use super::print::{display, inner, truth};

/// Every function; `and` and `or` stop early, so `eval` runs them itself.
const NAMES: [&str; 26] = [
    "and", "eq", "ge", "gt", "html", "index", "join", "js", "json", "le", "len", "lower", "lt",
    "ne", "not", "or", "pad", "print", "printf", "println", "slice", "split", "title", "truncate",
    "upper", "urlquery",
];

/// Whether `name` is a function.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Applies a function; the error says why it cannot be applied to these arguments.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    let compare = |a, b| compare(a, b).map_err(|why| format!("error calling {name}: {why}"));
    let ordered = |a, b| ordered(a, b).map_err(|why| format!("error calling {name}: {why}"));
    match (name, args) {
        ("not", [value]) => Ok((!truth(value)).into()),
        ("len", [value]) => length(value).map(|n| json!(n)),
        ("index", [value, keys @ ..]) => index(value, keys),
        ("slice", [value, bounds @ ..]) => slice(value, bounds),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            for other in others {
                if compare(first, other)? == Some(Ordering::Equal) {
                    return Ok(true.into());
                }
            }
            Ok(false.into())
        }
        ("ne", [a, b]) => Ok((compare(a, b)? != Some(Ordering::Equal)).into()),
        ("lt", [a, b]) => Ok((ordered(a, b)? == Ordering::Less).into()),
        ("le", [a, b]) => Ok((ordered(a, b)? != Ordering::Greater).into()),
        ("gt", [a, b]) => Ok((ordered(a, b)? == Ordering::Greater).into()),
        ("ge", [a, b]) => Ok((ordered(a, b)? != Ordering::Less).into()),
        ("json", [value]) => Ok(value.to_string().into()),
        ("lower", [value]) => Ok(text(value)?.to_lowercase().into()),
        ("upper", [value]) => Ok(text(value)?.to_uppercase().into()),
        ("title", [value]) => Ok(title(text(value)?).into()),
        ("join", [list, separator]) => join(list, text(separator)?),
        ("split", [value, separator]) => Ok(text(value)?
            .split(text(separator)?)
            .map(Value::from)
            .collect()),
        ("truncate", [value, count]) => {
            let count = number(count)?;
            Ok(text(value)?.chars().take(count).collect::<String>().into())
        }
        ("pad", [value, before, after]) => {
            let value = text(value)?;
            if value.is_empty() {
                return Ok(value.into());
            }
            let (before, after) = (" ".repeat(number(before)?), " ".repeat(number(after)?));
            Ok(format!("{before}{value}{after}").into())
        }
        ("print", args) => Ok(print(args).into()),
        ("html", args) => Ok(escape::html(&print(args)).into()),
        ("js", args) => Ok(escape::js(&print(args)).into()),
        ("urlquery", args) => Ok(escape::urlquery(&print(args)).into()),
        ("println", args) => {
            let words: Vec<String> = args.iter().map(inner).collect();
            Ok(format!("{}\n", words.join(" ")).into())
        }
        ("printf", [format, args @ ..]) => Ok(printf(text(format)?, args).into()),
        (_, args) => Err(format!(
            "wrong number of args for {name}: got {}",
            args.len()
        )),
    }
}

fn length(value: &Value) -> Result<usize, String> {
    match value {
        Value::String(text) => Ok(text.len()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(fields) => Ok(fields.len()),
        Value::Null => Err("error calling len: len of nil pointer".to_owned()),
        other => Err(format!("error calling len: len of type {}", kind(other))),
    }
}

static EMPTY: Value = Value::String(String::new());

fn index(value: &Value, keys: &[Value]) -> Result<Value, String> {
    let mut value = value;
    for key in keys {
        value = match (value, key) {
            (Value::Object(fields), Value::String(key)) => match fields.get(key) {
                Some(field) => field,
                // Go's map of texts gives an empty one for a name it does not have.
                None if !fields.is_empty() && fields.values().all(Value::is_string) => &EMPTY,
                None => &Value::Null,
            },
            (Value::Array(items), Value::Number(_)) => {
                let at = number(key)?;
                items
                    .get(at)
                    .ok_or_else(|| format!("error calling index: index out of range: {at}"))?
            }
            (Value::Null, _) => return Err("error calling index: index of nil pointer".to_owned()),
            (other, _) => {
                let kind = kind(other);
                return Err(format!(
                    "error calling index: can't index item of type {kind}"
                ));
            }
        };
    }
    Ok(value.clone())
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let length = length(value)?;
    let bound = |at: usize, or: usize| bounds.get(at).map_or(Ok(or), number);
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    if from > to || to > length {
        return Err(format!("error calling slice: index out of range: {to}"));
    }
    match value {
        Value::String(text) => text
            .get(from..to)
            .map(Value::from)
            .ok_or_else(|| "error calling slice: not a character boundary".to_owned()),
        Value::Array(items) => Ok(items[from..to].to_vec().into()),
        other => Err(format!(
            "error calling slice: can't slice item of type {}",
            kind(other)
        )),
    }
}

fn compare(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(Some(a.cmp(b))),
        (Value::Number(a), Value::Number(b)) => Ok(a.as_f64().partial_cmp(&b.as_f64())),
        (Value::Bool(a), Value::Bool(b)) => Ok(Some(a.cmp(b))),
        (Value::Null, Value::Null) => Ok(Some(Ordering::Equal)),
        (Value::Null, _) | (_, Value::Null) => Ok(None),
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn ordered(a: &Value, b: &Value) -> Result<Ordering, String> {
    compare(a, b)?.ok_or_else(|| "incompatible types for comparison".to_owned())
}

fn join(list: &Value, separator: &str) -> Result<Value, String> {
    match list {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inner).collect();
            Ok(items.join(separator).into())
        }
        Value::Null => Ok("".into()),
        other => Err(format!(
            "wrong type for value; expected []string; got {}",
            kind(other)
        )),
    }
}

/// Go puts spaces between operands of `print` when neither is a string.
fn print(args: &[Value]) -> String {
    let mut out = String::new();
    for (at, value) in args.iter().enumerate() {
        if at > 0 && !value.is_string() && !args[at - 1].is_string() {
            out.push(' ');
        }
        out.push_str(&inner(value));
    }
    out
}

/// How one `%…` of a format wants its value.
#[derive(Default)]
struct Layout {
    left: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
}

/// `%s %v %d %q %x %f %%` with width, precision and `-`: what people use in `--format`.
fn printf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut args = args.iter();
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let layout = layout(&mut rest);
        match rest.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match args.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => out.push_str(&layout.apply(verb, value)),
            },
        }
    }
    out
}

fn layout(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Layout {
    let mut layout = Layout::default();
    while let Some(&c) = rest.peek() {
        match c {
            '-' => layout.left = true,
            '+' | '#' | ' ' => {}
            '0' if layout.width == 0 && layout.precision.is_none() => layout.zeros = true,
            '.' => layout.precision = Some(0),
            '0'..='9' => {
                let number = layout.precision.as_mut().unwrap_or(&mut layout.width);
                *number = *number * 10 + (c as usize - '0' as usize);
            }
            _ => break,
        }
        rest.next();
    }
    layout
}

impl Layout {
    fn apply(&self, verb: char, value: &Value) -> String {
        let text = match (verb, self.precision, value) {
            ('q', _, Value::String(text)) => format!("{text:?}"),
            ('f' | 'g' | 'e', precision, Value::Number(number)) => {
                format!(
                    "{:.*}",
                    precision.unwrap_or(6),
                    number.as_f64().unwrap_or_default()
                )
            }
            ('x', _, Value::Number(number)) => format!("{:x}", number.as_i64().unwrap_or_default()),
            ('s' | 'v', Some(precision), value) => inner(value).chars().take(precision).collect(),
            (_, _, value) => inner(value),
        };
        let padding = self.width.saturating_sub(text.chars().count());
        match (self.left, self.zeros) {
            (true, _) => text + &" ".repeat(padding),
            (false, true) => "0".repeat(padding) + &text,
            (false, false) => " ".repeat(padding) + &text,
        }
    }
}

fn title(text: &str) -> String {
    let mut begins = true;
    let capital = |c: char| {
        let first = std::mem::replace(&mut begins, c.is_whitespace());
        if first {
            c.to_uppercase().next().unwrap_or(c)
        } else {
            c
        }
    };
    text.chars().map(capital).collect()
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("wrong type for value; expected string; got {}", kind(value)))
}

fn number(value: &Value) -> Result<usize, String> {
    value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| format!("cannot index slice/array with {}", display(value)))
}

/// What Go would call the type of a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
