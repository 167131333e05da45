//! Names for containers that were given none: an adjective and a person of science.

const ADJECTIVES: [&str; 48] = [
    "agile",
    "amber",
    "attentive",
    "blithe",
    "bold",
    "brisk",
    "candid",
    "careful",
    "cheery",
    "clear",
    "cordial",
    "crisp",
    "curious",
    "daring",
    "deft",
    "earnest",
    "easy",
    "exact",
    "fair",
    "fleet",
    "frank",
    "gentle",
    "glad",
    "honest",
    "humble",
    "jolly",
    "keen",
    "kindly",
    "lively",
    "lucid",
    "merry",
    "mild",
    "neat",
    "nimble",
    "patient",
    "placid",
    "plucky",
    "polite",
    "quiet",
    "ready",
    "serene",
    "sharp",
    "steady",
    "sunny",
    "tidy",
    "upbeat",
    "witty",
    "zesty",
];

const PEOPLE: [&str; 48] = [
    "ampere",
    "arago",
    "babbage",
    "becquerel",
    "bernard",
    "boole",
    "cassini",
    "chatelet",
    "condorcet",
    "coulomb",
    "curie",
    "dalembert",
    "descartes",
    "euler",
    "fermat",
    "foucault",
    "fourier",
    "fresnel",
    "galilei",
    "galois",
    "gauss",
    "germain",
    "goeppert",
    "hamilton",
    "hopper",
    "huygens",
    "hypatia",
    "jacquard",
    "joliot",
    "kepler",
    "lagrange",
    "laplace",
    "lavoisier",
    "leibniz",
    "lovelace",
    "maxwell",
    "meitner",
    "noether",
    "pascal",
    "pasteur",
    "poincare",
    "ritchie",
    "shannon",
    "thompson",
    "torvalds",
    "turing",
    "viete",
    "villani",
];

/// A random name; after many collisions a number is appended.
pub(crate) fn random(taken: impl Fn(&str) -> bool) -> String {
    for attempt in 0_u32.. {
        let bits = getrandom::u64().expect("the kernel has random numbers");
        let pick = |list: &[&'static str], bits: u64| {
            list[usize::try_from(bits).unwrap_or(0) % list.len()]
        };
        let mut name = format!(
            "{}_{}",
            pick(&ADJECTIVES, bits & 0xffff),
            pick(&PEOPLE, bits >> 48)
        );
        if attempt > 5 {
            name.push_str(&(bits >> 20 & 0xff).to_string());
        }
        if !taken(&name) {
            return name;
        }
    }
    unreachable!("the loop ends only by returning")
}

/// 64 random hexadecimal digits. The first twelve are not all decimal, so that a short id is not taken for a number.
pub(crate) fn random_id() -> String {
    loop {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the kernel has random numbers");
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if id[..12].bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return id;
        }
    }
}

/// Whether a client may give this name to a container, volume or network.
pub(crate) fn is_valid(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric();
    name.len() >= 2
        && name.len() <= 255
        && name.bytes().next().is_some_and(word)
        && name
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_avoid_those_taken() {
        let first = random(|_| false);
        assert!(is_valid(&first) && first.contains('_'));
        assert_ne!(random(|name| name == first), first);
    }

    #[test]
    fn hostile_names_are_refused() {
        for bad in [
            "",
            "a",
            "../x",
            "-a",
            "a b",
            "a/b",
            "a\nb",
            "é1",
            &"a".repeat(300),
        ] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }
}
