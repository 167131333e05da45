//! Aligning columns.

/// How wide columns are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    /// No column but the last is narrower.
    pub(crate) least: usize,
    /// Spaces after the widest cell.
    pub(crate) padding: usize,
}

/// The widths of most tables.
pub(crate) const DEFAULT: Columns = Columns {
    least: 10,
    padding: 3,
};
/// The widths of `docker top`.
pub(crate) const WIDE: Columns = Columns {
    least: 20,
    padding: 3,
};

/// Turns tabs into the spaces that align the lines' cells; the last cell is left as it is.
pub(crate) fn align(lines: &[String], columns: Columns) -> String {
    aligned(lines.iter().flat_map(|line| line.split('\n')), columns)
}

/// The same of lines in one text.
pub(crate) fn align_text(lines: &str, columns: Columns) -> String {
    aligned(lines.split('\n'), columns)
}

fn aligned<'a>(lines: impl Iterator<Item = &'a str>, columns: Columns) -> String {
    // All cells with their widths, and where each row of them ends.
    let (mut cells, mut ends) = (Vec::new(), Vec::new());
    let (mut widths, mut size): (Vec<usize>, usize) = (Vec::new(), 0);
    for line in lines {
        let first = cells.len();
        cells.extend(line.split('\t').map(|cell| (cell, cell.chars().count())));
        let but_last = first..cells.len() - 1;
        for (at, (_, characters)) in cells[but_last].iter().enumerate() {
            let width = (characters + columns.padding).max(columns.least);
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
        ends.push(cells.len());
        size += line.len();
    }
    let spaces = widths.iter().sum::<usize>() * ends.len();
    let mut out = String::with_capacity(size + spaces);
    let mut first = 0;
    for end in ends {
        let row = &cells[first..end];
        for (at, (cell, characters)) in row.iter().enumerate() {
            out.push_str(cell);
            if at + 1 < row.len() {
                out.extend(std::iter::repeat_n(' ', widths[at] - characters));
            }
        }
        out.push('\n');
        first = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_at_least_ten_wide_and_the_last_is_free() {
        let lines = ["DRIVER\tVOLUME NAME".to_owned(), "local\tv".to_owned()];
        assert_eq!(
            align(&lines, DEFAULT),
            "DRIVER    VOLUME NAME\nlocal     v\n"
        );
        assert_eq!(
            align_text("DRIVER\tVOLUME NAME\nlocal\tv", DEFAULT),
            align(&lines, DEFAULT)
        );
    }

    #[test]
    fn widths_are_counted_in_characters_and_rows_may_be_short() {
        assert_eq!(
            align_text("a\tb\tc\ncommand…\td\n\nx", DEFAULT),
            "a          b         c\ncommand…   d\n\nx\n"
        );
    }
}
