//! Elastic columns, laid out as Go's `text/tabwriter` does: kubectl, docker and crictl all print through it.
//!
//! A cell ends with a tab; the last cell of a line has none and is never padded. A column is as wide as the widest of its
//! cells in a run of consecutive lines that have that column.

/// Lays out text whose cells end with tabs. A column is at least `min_width` wide, and `padding` wider than its cells.
pub(crate) fn layout(text: &str, min_width: usize, padding: usize) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines
        .iter()
        .map(|cells| vec![0; cells.len().saturating_sub(1)])
        .collect();
    let columns = widths.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let mut start = 0;
        while start < lines.len() {
            // The run of lines from `start` on that have this column (a terminated cell).
            let run = widths.iter().skip(start).take_while(|line| line.len() > column).count();
            let cells = lines.iter().skip(start).take(run).filter_map(|cells| cells.get(column));
            let widest = cells
                .map(|cell| width(cell) + padding)
                .max()
                .unwrap_or(0)
                .max(min_width);
            for line in widths.iter_mut().skip(start).take(run) {
                if let Some(slot) = line.get_mut(column) {
                    *slot = widest;
                }
            }
            start += run.max(1);
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (number, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for (index, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            if let Some(column) = widths.get(index) {
                out.extend(std::iter::repeat_n(' ', column.saturating_sub(width(cell))));
            }
        }
    }
    out
}

/// Go counts characters, not columns on the screen.
fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// Rows of cells as a table: every cell but the last of a row is padded.
pub(crate) fn table(rows: &[Vec<String>], min_width: usize, padding: usize) -> String {
    let mut text: String = rows.iter().map(|row| row.join("\t") + "\n").collect();
    text = layout(&text, min_width, padding);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_run_of_lines_needs() {
        let text = "a\tb\tc\nlonger\tx\ty\nplain\nz\tq\n";
        assert_eq!(layout(text, 0, 2), "a       b  c\nlonger  x  y\nplain\nz  q\n");
        assert_eq!(layout("NAME\tREADY\np\t1/1\n", 6, 3), "NAME   READY\np      1/1\n");
    }
}
