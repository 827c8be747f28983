//! Tables for people.

/// Space between columns.
const GAP: usize = 2;

/// Lines of a table with these headings, each column as wide as it must be, without space at a line's end.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_owned);
    let lines = || std::iter::once(&headings).chain(rows);
    let width = |column: usize| {
        lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines() {
        let mut written = String::new();
        for (cell, width) in line.iter().zip(widths) {
            written.push_str(cell);
            let missing = (width + GAP).saturating_sub(cell.chars().count());
            written.extend(std::iter::repeat_n(' ', missing));
        }
        text.push_str(written.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["hôte".to_owned(), "1".to_owned()], ["a".to_owned(), String::new()]];

        assert_eq!(table(["NAME", "N"], &rows), "NAME  N\nhôte  1\na\n");
    }
}
