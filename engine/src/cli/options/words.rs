//! Splitting option values: `KEY=VALUE` pairs, comma-separated fields, quoted command lines.

use std::collections::BTreeMap;

/// `KEY=VALUE` pairs as a map; a word without `=` has an empty value.
pub(crate) fn map(pairs: &[String]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (pair.clone(), String::new()),
        })
        .collect()
}

/// The fields of one comma-separated line; a field between double quotes may hold commas.
pub(crate) fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields
                .last_mut()
                .expect("the list starts with one field")
                .push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_protect_commas() {
        assert_eq!(
            fields(r#"type=bind,"source=/a,b",ro"#),
            ["type=bind", "source=/a,b", "ro"]
        );
    }

    #[test]
    fn a_label_may_have_no_value() {
        let labels = map(&["a=1=2".into(), "b".into()]);
        assert_eq!(labels["a"], "1=2");
        assert_eq!(labels["b"], "");
    }
}
