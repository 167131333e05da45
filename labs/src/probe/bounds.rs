//! What learners choose, cut to a size that a page can show.

use crate::exercise::Value;

/// The longest name, path or argument that becomes a value.
const LONGEST: usize = 1024;

/// The longest list that becomes a value.
const MOST: usize = 512;

/// Bytes of unknown encoding as a value. What is too long ends in `…` and thus equals nothing.
pub(super) fn text(bytes: &[u8]) -> Value {
    Value::Text(words(bytes))
}

pub(super) fn words(bytes: &[u8]) -> String {
    let cut = bytes.get(..LONGEST).unwrap_or(bytes);
    let mut words = String::from_utf8_lossy(cut).into_owned();
    if cut.len() < bytes.len() {
        words.push('…');
    }
    words
}

/// A list; its last element is `…` when there were more.
pub(super) fn list(values: impl IntoIterator<Item = Value>) -> Value {
    let mut values = values.into_iter();
    let mut list: Vec<Value> = values.by_ref().take(MOST).collect();
    if values.next().is_some() {
        list.push(Value::Text("…".into()));
    }
    Value::List(list)
}

/// A number of the kernel as a value.
pub(super) fn int(number: impl TryInto<i64>) -> Value {
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_equals_nothing_an_author_writes() {
        let long = vec![b'a'; 5000];
        let Value::Text(words) = text(&long) else {
            panic!()
        };
        assert!(words.ends_with('…') && words.len() < 1100);
        assert_eq!(text(b"\xff\n"), Value::Text("\u{fffd}\n".into()));
        let Value::List(values) = list((0..1000).map(Value::Int)) else {
            panic!()
        };
        assert_eq!(values.len(), 513);
    }
}
