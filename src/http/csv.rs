//! Tables as text (RFC 4180), safe to open in a spreadsheet.
//!
//! A spreadsheet takes a text that begins with certain signs for a formula, and what it says may fetch and send. Such a
//! text gets an apostrophe before it, which a spreadsheet reads as "this is text".

/// A cell.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    /// Text, always quoted.
    Text(&'a str),
    /// A whole number.
    Number(u64),
    /// Nothing.
    Empty,
}

/// What makes a spreadsheet compute: the signs of formulas, also those of full width, and what ends a cell.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Appends a row.
pub fn row(table: &mut String, cells: &[Cell<'_>]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            table.push(',');
        }
        match cell {
            Cell::Text(text) => quote(table, text),
            Cell::Number(number) => table.push_str(&number.to_string()),
            Cell::Empty => {}
        }
    }
    table.push_str("\r\n");
}

fn quote(table: &mut String, text: &str) {
    table.push('"');
    if text.trim_start_matches(' ').starts_with(FORMULA) {
        table.push('\'');
    }
    table.push_str(&text.replace('"', "\"\""));
    table.push('"');
}

#[cfg(test)]
mod tests {
    use super::{Cell, row};

    fn text(text: &str) -> String {
        let mut table = String::new();
        row(&mut table, &[Cell::Text(text)]);
        table
    }

    #[test]
    fn a_row_keeps_what_would_end_a_cell_within_it() {
        let mut table = String::new();

        row(&mut table, &[Cell::Text("a,\"b\"\r\nc"), Cell::Number(3), Cell::Empty, Cell::Text("")]);

        assert_eq!(table, "\"a,\"\"b\"\"\r\nc\",3,,\"\"\r\n");
    }

    #[test]
    fn no_text_is_a_formula() {
        assert_eq!(
            text("=HYPERLINK(\"http://evil.example\")"),
            "\"'=HYPERLINK(\"\"http://evil.example\"\")\"\r\n"
        );
        assert_eq!(text("+1"), "\"'+1\"\r\n");
        assert_eq!(text("-1"), "\"'-1\"\r\n");
        assert_eq!(text("@SUM(A1)"), "\"'@SUM(A1)\"\r\n");
        assert_eq!(text("  =1"), "\"'  =1\"\r\n");
        assert_eq!(text("＝1"), "\"'＝1\"\r\n");
        assert_eq!(text("alice-1"), "\"alice-1\"\r\n");
    }
}
