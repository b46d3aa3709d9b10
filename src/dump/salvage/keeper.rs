//! Rows that their table may refuse, as another has their key: those go into `lost_and_found`.
//!
//! They are inserted into a view. Its trigger tries the table, and where that changed nothing the other one.

use super::lost_and_found::LostAndFound;
use crate::dump::identifier::write_quoted;
use crate::dump::options::Dialect;
use crate::dump::row_plan::{RowPlan, Style};
use crate::dump::schema::Schema;

/// The views that were made.
#[derive(Clone, Debug, Default)]
pub(super) struct Keepers {
    /// What their names begin with.
    stem: String,
    /// Rows by the root of their table.
    made: Vec<u32>,
}

impl Keepers {
    /// Names that no object has.
    pub(super) fn new(schema: &Schema) -> Self {
        let taken = |stem: &str| schema.objects.iter().any(|object| object.name.to_ascii_lowercase().starts_with(stem));
        let stem = (0u32..).map(|number| format!("found{number}_")).find(|stem| !taken(stem));
        Self { stem: stem.unwrap_or_default(), made: Vec::new() }
    }

    /// Whether rows of a table can go through a view.
    pub(super) fn takes(plan: &RowPlan, dialect: Dialect) -> bool {
        let has_room = plan.sources.len() < most_columns(dialect) && fields(plan) <= LostAndFound::most(dialect);
        has_room && plan.opening.is_empty() && matches!(plan.style, Style::Shell(_) | Style::Many { .. })
    }

    /// Appends what makes the view for rows of `plan`, unless it is there, and gives the plan for it.
    pub(super) fn open(&mut self, out: &mut Vec<u8>, plan: &RowPlan, lost: &LostAndFound) -> RowPlan {
        let root = plan.root.value();
        let mut name = Vec::new();
        write_quoted(&mut name, &format!("{}{root}", self.stem));
        if !self.made.contains(&root) {
            self.made.push(root);
            self.make(out, &name, plan, lost);
        }
        RowPlan { prefix: [b"INSERT INTO ", name.as_slice()].concat(), ..plan.clone() }
    }

    /// Appends what removes them.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        for root in self.made.drain(..) {
            out.extend_from_slice(b"DROP VIEW ");
            write_quoted(out, &format!("{}{root}", self.stem));
            out.extend_from_slice(b";\n");
        }
    }

    fn make(&self, out: &mut Vec<u8>, name: &[u8], plan: &RowPlan, lost: &LostAndFound) {
        let root = plan.root.value();
        let list = |item: &dyn Fn(usize) -> String| (0..plan.sources.len()).map(item).collect::<String>();
        let columns = list(&|index| format!(",v{index}"));
        let nulls = list(&|_| ",NULL".to_owned());
        let values = list(&|index| format!(",NEW.v{index}"));
        out.extend_from_slice(b"CREATE VIEW ");
        out.extend_from_slice(name);
        out.extend_from_slice(format!("(page{columns}) AS SELECT NULL{nulls};\nCREATE TRIGGER ").as_bytes());
        write_quoted(out, &format!("{}{root}_row", self.stem));
        out.extend_from_slice(b" INSTEAD OF INSERT ON ");
        out.extend_from_slice(name);
        out.extend_from_slice(b" BEGIN ");
        out.extend_from_slice(&plan.prefix);
        let values = values.get(1..).unwrap_or_default();
        out.extend_from_slice(format!(" VALUES({values}); INSERT INTO ").as_bytes());
        write_quoted(out, &lost.name);
        // A table without rowids has none to give.
        let rowid = plan.sources.iter().position(|source| source.slot.is_none());
        let rowid = rowid.map_or("NULL".to_owned(), |index| format!("NEW.v{index}"));
        let fields = fields(plan);
        let (mut into, mut from) = (String::new(), String::new());
        for (index, source) in plan.sources.iter().enumerate() {
            if let Some(slot) = source.slot {
                into += &format!(",c{slot}");
                from += &format!(",NEW.v{index}");
            }
        }
        let select = format!("(rootpgno,pgno,nfield,id{into}) SELECT {root},NEW.page,{fields},{rowid}{from}");
        out.extend_from_slice(select.as_bytes());
        out.extend_from_slice(b" WHERE changes()=0; END;\n");
    }
}

/// How many values a record of the table has.
pub(super) fn fields(plan: &RowPlan) -> usize {
    let rowid = usize::from(plan.style == Style::Many { rowid: true });
    let last = plan.sources.iter().filter_map(|source| source.slot).max().map_or(0, |slot| slot + 1);
    last.max(plan.sources.len() - rowid.min(plan.sources.len()))
}

/// How many columns a view can have.
fn most_columns(dialect: Dialect) -> usize {
    if dialect == Dialect::D1 { 100 } else { 2000 }
}
