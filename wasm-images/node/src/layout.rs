//! Columns, and long lines whose fields are as wide as the widest.

/// A name with what stands around it.
pub(crate) struct Cell {
    text: String,
    width: usize,
}

impl Cell {
    pub(crate) fn new(text: String) -> Self {
        let width = text.chars().count();
        Self { text, width }
    }
}

/// As many columns as fit, each as wide as its widest cell and two more.
pub(crate) fn columns(cells: &[Cell], width: usize, across: bool) -> String {
    // A column takes at least three characters.
    let most = (width / 3).clamp(1, cells.len().max(1));
    let fitting = (1..=most).rev().find_map(|count| {
        let rows = cells.len().div_ceil(count);
        let widths = column_widths(cells, count, rows, across);
        let total: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        (count == 1 || total < width).then_some((rows, widths))
    });
    let Some((rows, widths)) = fitting else {
        return String::new();
    };
    let mut text = String::new();
    for row in 0..rows {
        let mut gap = 0;
        for (column, column_width) in widths.iter().enumerate() {
            let index = if across {
                row * widths.len() + column
            } else {
                column * rows + row
            };
            if let Some(cell) = cells.get(index) {
                text.push_str(&" ".repeat(gap));
                text.push_str(&cell.text);
                gap = column_width + 2 - cell.width;
            }
        }
        text.push('\n');
    }
    text
}

fn column_widths(cells: &[Cell], count: usize, rows: usize, across: bool) -> Vec<usize> {
    let mut widths = vec![0; count];
    for (index, cell) in cells.iter().enumerate() {
        let column = if across { index % count } else { index / rows.max(1) };
        if let Some(width) = widths.get_mut(column) {
            *width = cell.width.max(*width);
        }
    }
    // Fewer columns than asked for may hold everything.
    while widths.len() > 1 && widths.last() == Some(&0) {
        widths.pop();
    }
    widths
}

/// The fields of a line of `ls -l`.
pub(crate) struct LongLine {
    pub(crate) inode: Option<String>,
    pub(crate) blocks: Option<String>,
    pub(crate) mode: String,
    pub(crate) links: String,
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) size: String,
    pub(crate) when: String,
    pub(crate) name: String,
}

/// All lines, numbers to the right and names to the left.
pub(crate) fn long(lines: &[LongLine]) -> String {
    let widest = |field: fn(&LongLine) -> &str| lines.iter().map(|line| field(line).chars().count()).max().unwrap_or(0);
    let inode = widest(|l| l.inode.as_deref().unwrap_or(""));
    let blocks = widest(|l| l.blocks.as_deref().unwrap_or(""));
    let links = widest(|l| &l.links);
    let owner = widest(|l| l.owner.as_deref().unwrap_or(""));
    let group = widest(|l| l.group.as_deref().unwrap_or(""));
    let size = widest(|l| &l.size);
    let mut text = String::new();
    for line in lines {
        for (field, width) in [(&line.inode, inode), (&line.blocks, blocks)] {
            if let Some(field) = field {
                text.push_str(&format!("{field:>width$} "));
            }
        }
        text.push_str(&format!("{} {:>links$} ", line.mode, line.links));
        for (field, width) in [(&line.owner, owner), (&line.group, group)] {
            if let Some(field) = field {
                text.push_str(&format!("{field:<width$} "));
            }
        }
        text.push_str(&format!("{:>size$} {} {}\n", line.size, line.when, line.name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_aligned_as_in_the_users_notes() {
        let line = |links: &str, size: &str, name: &str| LongLine {
            inode: None,
            blocks: None,
            mode: "lrwxrwxrwx".to_owned(),
            links: links.to_owned(),
            owner: Some("root".to_owned()),
            group: Some("root".to_owned()),
            size: size.to_owned(),
            when: "Jun 17 14:43".to_owned(),
            name: name.to_owned(),
        };
        let one = [line("1", "0", "cgroup -> 'cgroup:[4026531835]'")];
        assert_eq!(
            long(&one),
            "lrwxrwxrwx 1 root root 0 Jun 17 14:43 cgroup -> 'cgroup:[4026531835]'\n"
        );
        let two = [line("1", "4096", "a"), line("12", "7", "b")];
        assert_eq!(
            long(&two),
            "lrwxrwxrwx  1 root root 4096 Jun 17 14:43 a\nlrwxrwxrwx 12 root root    7 Jun 17 14:43 b\n"
        );
    }

    #[test]
    fn columns_are_only_as_wide_as_needed() {
        let cells: Vec<Cell> = ["a", "long-name", "b", "c"].map(|n| Cell::new(n.to_owned())).into();
        assert_eq!(columns(&cells, 80, false), "a  long-name  b  c\n");
        assert_eq!(columns(&cells, 18, false), "a          b\nlong-name  c\n");
        assert_eq!(columns(&cells, 1, false), "a\nlong-name\nb\nc\n");
    }
}
