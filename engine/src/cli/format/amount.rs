//! Sizes for people: `1.98MB`, `23.54GiB`.

/// Powers of 1000 with three digits: image sizes.
pub(crate) fn short(bytes: f64) -> String {
    scaled(bytes, 1000.0, &DECIMAL, 3)
}

/// Powers of 1000 with four digits: everything else that is stored or sent.
pub(crate) fn decimal(bytes: f64) -> String {
    scaled(bytes, 1000.0, &DECIMAL, 4)
}

/// Powers of 1024 with four digits: memory.
pub(crate) fn binary(bytes: f64) -> String {
    scaled(bytes, 1024.0, &BINARY, 4)
}

const DECIMAL: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
const BINARY: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

fn scaled(mut amount: f64, base: f64, units: &[&str], digits: usize) -> String {
    let mut unit = 0;
    while amount >= base && unit + 1 < units.len() {
        amount /= base;
        unit += 1;
    }
    significant(amount, digits) + units[unit]
}

/// C's `%.Ng`: so many significant digits, no trailing zeros.
fn significant(amount: f64, digits: usize) -> String {
    if amount == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{amount:.*e}", digits - 1);
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("`e` formatting writes an e");
    let exponent: i32 = exponent.parse().expect("`e` formatting writes an exponent");
    let whole = i32::try_from(digits).expect("a handful of digits");
    if exponent < -4 || exponent >= whole {
        let mantissa = strip(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let decimals = usize::try_from(whole - 1 - exponent).expect("the exponent is below the digits");
    strip(&format!("{amount:.decimals$}")).to_owned()
}

fn strip(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_docker_shows_them() {
        assert_eq!(short(1_983_000.0), "1.98MB");
        assert_eq!(decimal(1_983_000.0), "1.983MB");
        assert_eq!(short(682_700.0), "683kB");
        assert_eq!(short(0.0), "0B");
        assert_eq!(short(999.0), "999B");
        assert_eq!(short(7_000_000.0), "7MB");
        assert_eq!(binary(581_632.0), "568KiB");
        assert_eq!(binary(25_275_000_000.0), "23.54GiB");
        assert_eq!(short(999_900.0), "1e+03kB");
    }
}
