//! What a comparison finds.

use serde::Serialize;

use super::objects::Object;

/// What becomes of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The backup does not have it.
    Vanish,
    /// Only the backup has it.
    Come,
    /// Rows or its definition differ, or may differ.
    Changed,
    /// Every row and its definition are the same.
    Unchanged,
}

/// How rows differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowChanges {
    /// Rows that only the backup has.
    pub back: u64,
    /// Rows that only the database has.
    pub gone: u64,
    /// Rows of the same rowid with other values. In a table WITHOUT ROWID these count as `back` and `gone`.
    pub updated: u64,
}

/// What a restore would do to a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableChange {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub change: Change,
    /// Rows as it is now; `None` where it has none of its own (a virtual table), or they could not be counted.
    pub rows_now: Option<u64>,
    /// Rows in the backup, likewise.
    pub rows_then: Option<u64>,
    /// How the rows of a table that both have differ; `None` where to find out would mean reading too much.
    pub rows: Option<RowChanges>,
    /// Whether it is defined in other words.
    pub redefined: bool,
}

/// The objects of both sides that are `meant`, those of the same name together: their places, and what their definitions tell.
pub(super) fn pair(
    now: &[Object],
    then: &[Object],
    meant: fn(&Object) -> bool,
) -> (Vec<[Option<usize>; 2]>, Vec<TableChange>) {
    let users =
        |objects: &[Object]| (0..objects.len()).filter(|&at| objects.get(at).is_some_and(meant)).collect::<Vec<_>>();
    let (mut of_now, of_then) = (users(now), users(then));
    let name = |objects: &[Object], at: usize| objects.get(at).map(|object| object.name.clone()).unwrap_or_default();
    let mut by_name: Vec<_> = of_then.iter().map(|&at| (name(then, at), at)).collect();
    by_name.sort_unstable();
    let mut is_met = vec![false; by_name.len()];
    let mut tables: Vec<[Option<usize>; 2]> = Vec::new();
    for at in of_now.drain(..) {
        let found = by_name.binary_search_by(|(other, _)| other.as_str().cmp(&now[at].name));
        if let Ok(place) = found {
            is_met[place] = true;
        }
        tables.push([Some(at), found.ok().map(|place| by_name[place].1)]);
    }
    tables.extend((0..by_name.len()).filter(|&place| !is_met[place]).map(|place| [None, Some(by_name[place].1)]));
    let results = tables.iter().map(|&[a, b]| {
        let (a, b) = (a.and_then(|at| now.get(at)), b.and_then(|at| then.get(at)));
        let redefined = a.zip(b).is_some_and(|(a, b)| a.definition != b.definition);
        let change = match (a, b) {
            (Some(_), None) => Change::Vanish,
            (None, _) => Change::Come,
            _ if redefined => Change::Changed,
            _ => Change::Unchanged,
        };
        let name = a.or(b).map(|object| object.name.clone()).unwrap_or_default();
        TableChange { name, change, rows_now: None, rows_then: None, rows: None, redefined }
    });
    let results = results.collect();
    (tables, results)
}
