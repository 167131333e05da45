//! A fact against an expectation: pure, so that every operator is tested without a kernel.

use crate::exercise::{Expectation, Operators, Value};

/// A comparison that does not hold: the operator, and what it wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// The operator, as in the vocabulary.
    pub operator: String,
    /// What it wanted; nothing when a reference names an absent fact.
    pub expected: Option<Value>,
}

/// What two values must share to be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equality {
    /// Everything.
    Exact,
    /// What an image reference means: `debian` is `docker.io/library/debian:latest`.
    Image,
}

/// The first operator of `expectation` that does not hold for `observed`.
///
/// `resolve` gives the value a reference stands for: `None` when that fact is absent, an error
/// when it cannot be told.
pub fn compare<E>(
    expectation: &Expectation,
    observed: Option<&Value>,
    equality: Equality,
    resolve: &mut impl FnMut(&Value) -> Result<Option<Value>, E>,
) -> Result<Option<Miss>, E> {
    let Operators {
        eq,
        ne,
        gte,
        lte,
        one_of,
        contains,
        lacks,
        under,
        sequence,
        count,
        exists,
    } = &expectation.0;
    let list = |values: &Option<Vec<Value>>| values.clone().map(Value::List);
    let (one_of, sequence) = (list(one_of), list(sequence));
    let same = |a: &Value, b: &Value| same(a, b, equality);

    if let Some(wanted) = exists
        && observed.is_some() != *wanted
    {
        return Ok(miss("exists", Some(Value::Bool(*wanted))));
    }
    type Holds<'a> = &'a dyn Fn(Option<&Value>, &Value) -> bool;
    let present: [(&str, Option<&Value>, Holds<'_>); 8] = [
        ("eq", eq.as_ref(), &|o, e| o.is_some_and(|o| same(o, e))),
        ("ne", ne.as_ref(), &|o, e| o.is_some_and(|o| !same(o, e))),
        ("gte", gte.as_ref(), &|o, e| {
            int(o).zip(int(Some(e))).is_some_and(|(o, e)| o >= e)
        }),
        ("lte", lte.as_ref(), &|o, e| {
            int(o).zip(int(Some(e))).is_some_and(|(o, e)| o <= e)
        }),
        ("in", one_of.as_ref(), &|o, e| {
            o.is_some_and(|o| items(e).iter().any(|e| same(o, e)))
        }),
        ("contains", contains.as_ref(), &|o, e| {
            o.is_some_and(|o| items(e).iter().all(|e| has(o, e, equality)))
        }),
        ("lacks", lacks.as_ref(), &|o, e| {
            !o.is_some_and(|o| items(e).iter().any(|e| has(o, e, equality)))
        }),
        ("under", under.as_ref(), &|o, e| {
            o.is_some_and(|o| below(o, e))
        }),
    ];
    for (operator, wanted, holds) in present {
        let Some(wanted) = wanted else { continue };
        let Some(wanted) = resolve(wanted)? else {
            return Ok(miss(operator, None));
        };
        if !holds(observed, &wanted) {
            return Ok(miss(operator, Some(wanted)));
        }
    }
    if let Some(wanted) = sequence {
        let Some(wanted) = resolve(&wanted)? else {
            return Ok(miss("sequence", None));
        };
        if !observed.is_some_and(|o| in_order(items(o), items(&wanted), equality)) {
            return Ok(miss("sequence", Some(wanted)));
        }
    }
    if let Some(wanted) = count {
        let number = match observed {
            Some(Value::List(list)) => i64::try_from(list.len()).ok().map(Value::Int),
            _ => None,
        };
        let inner = compare(wanted, number.as_ref(), Equality::Exact, resolve)?;
        return Ok(inner.map(|m| Miss {
            operator: format!("count.{}", m.operator),
            expected: m.expected,
        }));
    }
    Ok(None)
}

fn miss(operator: &str, expected: Option<Value>) -> Option<Miss> {
    Some(Miss {
        operator: operator.into(),
        expected,
    })
}

fn same(a: &Value, b: &Value, equality: Equality) -> bool {
    match (a, b, equality) {
        (Value::Text(a), Value::Text(b), Equality::Image) => whole(a) == whole(b),
        _ => a == b,
    }
}

/// An image reference with everything that may be left out.
pub(crate) fn whole(reference: &str) -> String {
    let reference = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let reference = reference.strip_prefix("library/").unwrap_or(reference);
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains([':', '@']) {
        reference.into()
    } else {
        format!("{reference}:latest")
    }
}

fn int(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Int(i)) => Some(*i),
        _ => None,
    }
}

/// The elements of a list; any other value is a list of itself.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(list) => list,
        one => std::slice::from_ref(one),
    }
}

fn has(list: &Value, element: &Value, equality: Equality) -> bool {
    matches!(list, Value::List(list) if list.iter().any(|e| same(e, element, equality)))
}

fn below(path: &Value, directory: &Value) -> bool {
    let (Value::Text(path), Value::Text(directory)) = (path, directory) else {
        return false;
    };
    path.strip_prefix(directory.trim_end_matches('/'))
        .is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

fn in_order(list: &[Value], wanted: &[Value], equality: Equality) -> bool {
    let mut rest = list.iter();
    wanted
        .iter()
        .all(|w| rest.any(|value| same(value, w, equality)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the operator that fails, or nothing.
    #[track_caller]
    fn check(expectation: &str, observed: Option<&str>, expected: &str) {
        let expectation: Expectation = serde_saphyr::from_str(expectation).unwrap();
        let observed: Option<Value> = observed.map(|o| serde_saphyr::from_str(o).unwrap());
        let mut resolve = |v: &Value| match v {
            Value::Text(t) if t == "$absent" => Ok::<_, ()>(None),
            Value::Text(t) if t == "$seven" => Ok(Some(Value::Int(7))),
            other => Ok(Some(other.clone())),
        };
        let miss = compare(
            &expectation,
            observed.as_ref(),
            Equality::Exact,
            &mut resolve,
        );
        let operator = miss.unwrap().map(|m| m.operator).unwrap_or_default();
        assert_eq!(operator, expected, "{expectation:?} against {observed:?}");
    }

    #[test]
    fn operators_hold_and_fail() {
        check("12", Some("12"), "");
        check("12", Some("13"), "eq");
        check("12", Some("'12'"), "eq");
        check("{ ne: 12 }", Some("13"), "");
        check("{ ne: 12 }", None, "ne");
        check("{ gte: 2, lte: 4 }", Some("5"), "lte");
        check("{ in: [a, b] }", Some("b"), "");
        check("{ contains: [mnt, uts] }", Some("[mnt, pid, uts]"), "");
        check(
            "{ contains: [mnt, net] }",
            Some("[mnt, pid, uts]"),
            "contains",
        );
        check("{ lacks: net }", Some("[net]"), "lacks");
        check("{ lacks: net }", None, "");
        check("{ exists: false }", None, "");
        check("{ exists: false }", Some("1"), "exists");
        check("{ exists: true }", None, "exists");
        check("{ under: /tp }", Some("/tp/a"), "");
        check("{ under: /tp }", Some("/tpx"), "under");
        check("{ under: /tp }", Some("/tp"), "under");
        check(
            "{ sequence: [create, die] }",
            Some("[create, start, die]"),
            "",
        );
        check(
            "{ sequence: [die, create] }",
            Some("[create, start, die]"),
            "sequence",
        );
        check("{ count: 2 }", Some("[a, b]"), "");
        check("{ count: { gte: 3 } }", Some("[a, b]"), "count.gte");
    }

    #[test]
    fn references_are_resolved_and_an_absent_one_never_matches() {
        check("$seven", Some("7"), "");
        check("{ gte: $seven }", Some("6"), "gte");
        check("{ ne: $absent }", Some("6"), "ne");
        check("{ contains: $seven }", Some("[1, 7]"), "");
    }

    #[test]
    fn image_references_are_equal_when_they_mean_the_same() {
        let text = |t: &str| Value::Text(t.into());
        let same = |a, b| same(&text(a), &text(b), Equality::Image);
        assert!(same("debian", "docker.io/library/debian:latest"));
        assert!(!same("debian", "debian:bookworm"));
        assert!(same("localhost:5000/x", "localhost:5000/x:latest"));
    }
}
