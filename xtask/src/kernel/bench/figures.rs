//! What the benchmark prints: `@bench DESIGN MEMBERS WHAT VALUE`.

use std::collections::HashMap;

use crate::shell::Result;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Design {
    Theirs,
    Ours,
}

pub(super) struct Figures(HashMap<(Design, u32, String), u64>);

impl Figures {
    pub(super) fn of(console: &str) -> Result<Figures> {
        let lines = console.lines().filter_map(|line| line.split_once("@bench ").map(|it| it.1));
        let figures = lines.map(|line| figure(line).ok_or_else(|| format!("not a figure: {line}")));
        let figures: HashMap<_, _> = figures.collect::<Result<_>>()?;
        if figures.is_empty() { Err("nothing was measured".into()) } else { Ok(Figures(figures)) }
    }

    pub(super) fn get(&self, design: Design, members: u32, what: &str) -> Result<u64> {
        let figure = self.0.get(&(design, members, what.to_owned()));
        figure.copied().ok_or_else(|| format!("{what} of {members} members was not measured"))
    }
}

fn figure(line: &str) -> Option<((Design, u32, String), u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [design, members, what, value] = words[..] else { return None };
    let design = match design {
        "theirs" => Design::Theirs,
        "ours" => Design::Ours,
        _ => return None,
    };
    Some(((design, members.parse().ok()?, what.to_owned()), value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_among_other_lines() {
        let figures = Figures::of("    # x\n@bench ours 64 slab 192\n@bench theirs 64 slab 4096\n");
        let figures = figures.unwrap();
        assert_eq!(figures.get(Design::Ours, 64, "slab"), Ok(192));
        assert_eq!(figures.get(Design::Theirs, 64, "slab"), Ok(4096));
        assert!(figures.get(Design::Ours, 1, "slab").is_err());
        assert!(Figures::of("ok 1 bench\n").is_err());
        assert!(Figures::of("@bench ours 64 slab\n").is_err());
    }
}
