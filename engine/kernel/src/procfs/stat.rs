//! `/proc/PID/stat`; see proc_pid_stat(5).

/// What is read of `stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// One letter: `R`, `S`, `D`, `T`, `Z` …
    pub state: char,
    /// Parent, in the reader's pid namespace; 0 when it is out of sight.
    pub parent: i32,
    /// Major and minor number of the controlling terminal.
    pub terminal: Option<(u32, u32)>,
    /// Start time in clock ticks since boot: with the pid it names one process for ever.
    pub start_time: u64,
}

/// Parses `stat`. The second field is a name in brackets that may hold brackets and spaces, so
/// fields are counted from the last bracket.
pub fn parse(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&text[end + 1..]).ok()?;
    // fields[0] is the third field of the manual page.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    let device = u32::try_from(number(7)?).ok()?;
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: i32::try_from(number(4)?).ok()?,
        terminal: (device != 0).then(|| split(device)),
        start_time: u64::try_from(number(22)?).ok()?,
    })
}

/// The kernel's encoding of a device number in 32 bits.
fn split(device: u32) -> (u32, u32) {
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xfff00);
    (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_hostile_name() {
        let text = b"4242 (a) S 1 (b)) S 17 4242 17 34819 4242 4194560 1 0 0 0 2 3 0 0 20 0 1 0 998877 10 20\n";
        let stat = parse(text).unwrap();
        assert_eq!(stat.parent, 17);
        assert_eq!(stat.terminal, Some((136, 3)));
        assert_eq!(stat.start_time, 998_877);
        assert_eq!(stat.state, 'S');
    }

    #[test]
    fn a_truncated_text_is_refused() {
        assert_eq!(parse(b"12 (sh"), None);
        assert_eq!(parse(b"12 (sh) S 1 2"), None);
        assert_eq!(parse(b""), None);
    }
}
