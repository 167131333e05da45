//! Lists of processors and memory nodes: `0-2,4`.

use std::collections::BTreeSet;

/// More numbers than any kernel has processors are a mistake.
const MOST: u32 = 8192;

/// Reads a list; `None` when it is malformed.
pub(crate) fn parse(text: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    if text.is_empty() {
        return Some(numbers);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number < MOST)
}

/// Whether all that is asked for is there; `None` when the list asked for is malformed.
pub(crate) fn is_available(asked: &str, there: &str) -> Option<bool> {
    let asked = parse(asked)?;
    // A host that tells nothing is believed to have everything.
    Some(there.is_empty() || asked.is_subset(&parse(there)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_numbers_and_ranges() {
        assert_eq!(parse("0-2,4").unwrap(), BTreeSet::from([0, 1, 2, 4]));
        for bad in ["a", "2-1", "1-", "-1", "0,,1", "99999999999", "0-99999999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_asked_for_must_be_there() {
        assert_eq!(is_available("1", "0-1"), Some(true));
        assert_eq!(is_available("0-2", "0-1"), Some(false));
        assert_eq!(is_available("x", "0-1"), None);
    }
}
