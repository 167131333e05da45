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
    let rows: Vec<Vec<&str>> = lines
        .iter()
        .flat_map(|line| line.split('\n'))
        .map(|line| line.split('\t').collect())
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (at, cell) in row.iter().enumerate().take(row.len() - 1) {
            let width = (cell.chars().count() + columns.padding).max(columns.least);
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut out = String::new();
    for row in &rows {
        for (at, cell) in row.iter().enumerate() {
            out.push_str(cell);
            if at + 1 < row.len() {
                out.extend(std::iter::repeat_n(' ', widths[at] - cell.chars().count()));
            }
        }
        out.push('\n');
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
    }
}
