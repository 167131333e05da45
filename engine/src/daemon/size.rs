//! Sizes as people write them: `10m`, `1.5 GB`, `512k`.

/// A size that cannot be read. Docker's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid size: '{0}'")]
pub(crate) struct BadSize(String);

/// Units are powers of 1000.
pub(crate) fn decimal(text: &str) -> Result<u64, BadSize> {
    parse(text, 1000.0)
}

/// Units are powers of 1024.
pub(crate) fn binary(text: &str) -> Result<u64, BadSize> {
    parse(text, 1024.0)
}

fn parse(text: &str, step: f64) -> Result<u64, BadSize> {
    let bad = || BadSize(text.to_owned());
    let end = text
        .rfind(|letter: char| letter.is_ascii_digit())
        .map_or(0, |at| at + 1);
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| bad())?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let letters = unit.strip_suffix('b').unwrap_or(&unit);
    let letter = letters.strip_suffix('i').filter(|rest| !rest.is_empty());
    let power = match letter.unwrap_or(letters) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(bad()),
    };
    let size = number * step.powi(power);
    if !(size.is_finite() && (0.0..9e18).contains(&size)) {
        return Err(bad());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked; a part of a byte is dropped"
    )]
    Ok(size as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in [
            ("7", 7),
            ("10k", 10_000),
            ("1.5m", 1_500_000),
            ("2 GB", 2_000_000_000),
        ] {
            assert_eq!(decimal(text), Ok(size));
        }
        assert_eq!(binary("10m"), Ok(10 << 20));
        assert_eq!(binary("1kib"), Ok(1024));
        for bad in ["", "x", "-1", "1x", "m", "1mm"] {
            assert_eq!(decimal(bad), Err(BadSize(bad.into())), "{bad}");
        }
    }
}
