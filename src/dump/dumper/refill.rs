//! Full-text tables whose texts are those of another table.

use crate::dump::notes::Notes;
use crate::dump::rowids::Rowids;
use crate::page::Pgno;

/// Most ranges, or rowids, that a statement names, where it may go through all rows of a view.
const FEW_RANGES: usize = 64;
const FEW: u64 = 20_000;

/// What fills a full-text table from the table that has its texts, once it is known which rows were in both.
#[derive(Clone, Debug)]
pub(in crate::dump) struct Refill {
    pub(in crate::dump) name: String,
    /// The table or view that has the texts.
    pub(in crate::dump) content: String,
    /// Its root, if its rowids are those of the full-text table.
    pub(in crate::dump) texts: Option<Pgno>,
    /// Root of the table that has a row for each of the full-text table.
    pub(in crate::dump) sizes: Option<Pgno>,
    /// Fills it with all rows.
    pub(in crate::dump) rebuild: Vec<u8>,
    /// Fills it with rows, up to WHERE.
    pub(in crate::dump) insert: Vec<u8>,
    /// What the content table calls the rowid.
    pub(in crate::dump) rowid: String,
}

impl Refill {
    pub(super) fn write(&self, out: &mut Vec<u8>, rowids: &[(Pgno, Rowids)], notes: &mut Notes) {
        let of = |root: Option<Pgno>| {
            let (_, rowids) = rowids.iter().rfind(|&&(kept, _)| Some(kept) == root)?;
            Some(rowids).filter(|rowids| rowids.is_known())
        };
        let Self { name, content, insert, rowid, .. } = self;
        match (of(self.sizes), of(self.texts)) {
            (Some(held), Some(texts)) if held == texts => out.extend_from_slice(&self.rebuild),
            (Some(held), Some(texts)) => {
                let missing = held.missing_in(texts);
                if missing > 0 {
                    notes.say(format!(
                        "{name}: {missing} of its rows are not in {content}, which has its texts; they are left out"
                    ));
                }
                held.clone().only(texts).write(out, insert, rowid);
            }
            (Some(held), None) if self.texts.is_none() && (held.ranges() <= FEW_RANGES || held.count() <= FEW) => {
                held.write(out, insert, rowid);
            }
            _ => {
                notes.say(format!("{name}: which rows of {content} are in it is not known here; all of them will be"));
                out.extend_from_slice(&self.rebuild);
            }
        }
    }
}
