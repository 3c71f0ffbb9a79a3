//! Which cell of one table is which of the other.
//!
//! By what was asked for, not by `cell_id`, which also holds the plugin's build. A setting that only one table has a column for is
//! no difference: a new parameter with its default is the cell that it was.

use std::collections::{BTreeMap, BTreeSet};

use crate::table::{Figure, Grouping, Run, Runs, figures};

/// The cells of two tables.
#[derive(Debug)]
pub struct Pairing<'a> {
    /// Cells that both have.
    pub pairs: Vec<Pair<'a>>,
    /// Cells that only base has.
    pub vanished: Vec<(String, &'a Run)>,
    /// How many only head has.
    pub added: usize,
    /// Figures that base has.
    pub figures: Vec<Figure>,
}

/// A cell in both tables.
#[derive(Debug)]
pub struct Pair<'a> {
    /// Flow, target and what varies, in words; the seed is not in it.
    pub group: String,
    /// In base.
    pub base: &'a Run,
    /// In head.
    pub head: &'a Run,
}

impl Pair<'_> {
    /// The group, and the seed.
    pub fn label(&self) -> String {
        self.base.name_in(&self.group)
    }
}

impl<'a> Pairing<'a> {
    /// Pairs two tables, whatever the settings `across` are, or says why they cannot be.
    pub fn new(base: &'a Runs, head: &'a Runs, across: &[String]) -> Result<Self, String> {
        if let (Some(old), Some(new)) = (base.runs.first(), head.runs.first())
            && old.row.schema_version != new.row.schema_version
        {
            let versions = (old.row.schema_version, new.row.schema_version);
            return Err(format!("base has results of schema version {}, head of {}", versions.0, versions.1));
        }
        let settings = |runs: &'a Runs| -> BTreeSet<&str> {
            runs.runs.iter().flat_map(|run| run.settings.keys().map(String::as_str)).collect()
        };
        let mut common: BTreeSet<&str> = settings(base).intersection(&settings(head)).copied().collect();
        for setting in across {
            if !common.remove(setting.as_str()) {
                let known: Vec<&str> = common.into_iter().collect();
                return Err(format!("`{setting}` is no setting of both; they have {}", known.join(", ")));
            }
        }
        let mut new = indexed(&head.runs, &common, "head")?;
        indexed(&base.runs, &common, "base")?;
        let grouping = Grouping::new(&base.runs, &[]);
        let (mut pairs, mut vanished) = (Vec::new(), Vec::new());
        for (old, place) in base.runs.iter().zip(&grouping.of) {
            let group = &grouping.groups[*place];
            let name = group.name();
            match new.remove(&identity(old, &common)) {
                Some(head) => pairs.push(Pair { group: name, base: old, head }),
                None => vanished.push((old.name_in(&name), old)),
            }
        }
        if pairs.is_empty() {
            return Err("the two have no cell in common: they are of different sweeps".into());
        }
        Ok(Self { pairs, vanished, added: new.len(), figures: figures(&base.runs) })
    }
}

type Identity<'a> = (&'a str, &'a str, usize, u64, Vec<(&'a str, &'a str)>);

fn identity<'a>(run: &'a Run, common: &BTreeSet<&str>) -> Identity<'a> {
    let settings = run.settings.iter().filter(|(key, _)| common.contains(key.as_str()));
    let settings = settings.map(|(key, value)| (key.as_str(), value.as_str())).collect();
    (&run.row.flow, &run.row.target, run.row.dim, run.row.seed, settings)
}

fn indexed<'a>(
    runs: &'a [Run],
    common: &BTreeSet<&str>,
    side: &str,
) -> Result<BTreeMap<Identity<'a>, &'a Run>, String> {
    let mut by_identity = BTreeMap::new();
    for run in runs {
        if let Some(other) = by_identity.insert(identity(run, common), run) {
            return Err(format!("{side}: cells {} and {} cannot be told apart", other.row.cell_id, run.row.cell_id));
        }
    }
    Ok(by_identity)
}
