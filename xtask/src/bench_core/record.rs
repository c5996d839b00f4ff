//! Where results are kept in the repository.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::shell::{self, Result};

/// What people read: the tables are between two comments of their names.
const PAGE: &str = "docs/benchmarks.md";

/// Runs the measurement and keeps its results under that name.
pub(super) fn run(mut command: Command, name: &str) -> Result {
    let root = shell::root();
    command.arg("--json").arg(root.join(format!("benches/results/{name}.json")));
    command.arg("--chart").arg(root.join(format!("docs/benchmarks-{name}.svg")));
    // The progress is for the person at the terminal.
    let run = command.stderr(Stdio::inherit()).output();
    let output = run.map_err(|error| format!("{command:?}: {error}"))?;
    let tables = String::from_utf8_lossy(&output.stdout);
    print!("{tables}");
    let path = root.join(PAGE);
    let page = fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    let page = replaced(&page, name, &tables)?;
    fs::write(&path, page).map_err(|error| format!("{PAGE}: {error}"))?;
    // What it has missed is on record, too.
    if output.status.success() { Ok(()) } else { Err(format!("{name}: {}", output.status)) }
}

/// The page with other tables of that name.
fn replaced(page: &str, name: &str, tables: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let parts = page.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| format!("{PAGE}: there is no place for {name}"))?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", tables.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_table_is_replaced() {
        let page = "above\n<!-- growth -->\n\n| old |\n\n<!-- end of growth -->\nbelow\n";
        let new = replaced(page, "growth", "| new |\n").unwrap();
        assert_eq!(new, page.replace("old", "new"));
        assert!(replaced(page, "compare", "").is_err());
    }

    #[test]
    fn the_page_has_a_place_for_all() {
        let page = fs::read_to_string(shell::root().join(PAGE)).unwrap();
        for name in ["compare", "growth"] {
            replaced(&page, name, "").unwrap();
        }
    }
}
