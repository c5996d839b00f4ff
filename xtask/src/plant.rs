//! Planted bugs: has each test that stands for something been seen to fail?
//!
//! `xtask/planted/*.toml` lists bugs, each one a text in a source file, what to put in its place, and the
//! tests that must fail then. They are planted one after the other in a copy of the workspace.

mod list;
mod rig;
mod run;

use crate::shell::{self, Result};
use list::Bug;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Plant only the bugs whose name, file or tests contain this
    filter: Option<String>,

    /// Only say which bugs there are
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(args: &Args) -> Result {
    let filter = args.filter.as_deref().unwrap_or("");
    let bugs: Vec<Bug> =
        list::load(shell::root())?.into_iter().filter(|bug| bug.matches(filter)).collect();
    if bugs.is_empty() {
        return Err(format!(
            "no planted bug matches {filter:?}; `cargo xtask plant --list` shows all"
        ));
    }
    if args.list {
        bugs.iter().for_each(|bug| println!("{bug}"));
        return Ok(());
    }
    let copy = run::Copy::of_the_workspace()?;
    let mut escaped = 0;
    for (index, bug) in bugs.iter().enumerate() {
        let started = Instant::now();
        eprint!("[{}/{}] {} … ", index + 1, bugs.len(), bug.name);
        let escape = match copy.plant(bug) {
            Ok(unnoticed) if unnoticed.is_empty() => None,
            Ok(unnoticed) => Some(format!("NOT CAUGHT by {}", unnoticed.join(", "))),
            Err(problem) => Some(format!("NOT PLANTED: {problem}")),
        };
        escaped += usize::from(escape.is_some());
        eprintln!("{}", escape.unwrap_or_else(|| format!("caught, {:.0?}", started.elapsed())));
    }
    eprintln!("{} bugs planted, {} caught by every test named", bugs.len(), bugs.len() - escaped);
    if escaped == 0 { Ok(()) } else { Err(format!("{escaped} bugs were not caught as promised")) }
}
