//! Virtual tables of the modules that D1 has, from what CREATE VIRTUAL TABLE says.

use super::identifier::unquote;
use super::rtree::NodeFormat;
use super::shape::VirtualTable;

/// A full-text table (FTS5, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FullText {
    pub(super) columns: Vec<String>,
    pub(super) content: Content,
    /// The tokenizers it names that only some programs have.
    pub(super) foreign_tokenizer: Option<String>,
    /// Under which name the place of its texts has its rowid.
    pub(super) rowid: String,
    /// Whether each value can have a language of its own.
    pub(super) locale: bool,
}

/// Where a full-text table keeps its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Own,
    /// In this table or view.
    Of(String),
    /// Nowhere.
    None,
}

/// An R-Tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpatialIndex {
    pub(super) id: String,
    pub(super) coordinates: Vec<String>,
    pub(super) auxiliary: Vec<String>,
    pub(super) nodes: NodeFormat,
}

/// Whether `name`, which ends in `_` and `suffix`, is a table that a virtual table of this name's start keeps its own
/// data in.
pub(super) fn has_shadow(shape: &VirtualTable, name: &str, suffix: &str) -> bool {
    match shape.module.as_str() {
        "fts5" => {
            let is_given =
                matches!(FullText::of(shape).content, Content::Of(table) if table.eq_ignore_ascii_case(name));
            FULL_TEXT_5.contains(&suffix) && !is_given
        }
        module => suffixes(module).contains(&suffix),
    }
}

/// The tables that a virtual table of this name can keep its own data in.
pub(super) fn shadows(shape: &VirtualTable, name: &str) -> Vec<String> {
    let all = suffixes(&shape.module).iter().map(|suffix| (format!("{name}_{suffix}"), suffix));
    all.filter(|(shadow, suffix)| has_shadow(shape, shadow, suffix)).map(|(shadow, _)| shadow).collect()
}

const FULL_TEXT_5: [&str; 5] = ["data", "idx", "content", "docsize", "config"];

fn suffixes(module: &str) -> &'static [&'static str] {
    match module {
        "fts5" => &FULL_TEXT_5,
        "fts3" | "fts4" => &["content", "segments", "segdir", "docsize", "stat"],
        "rtree" | "rtree_i32" | "geopoly" => &["node", "rowid", "parent"],
        _ => &[],
    }
}

impl FullText {
    /// What the arguments say: options, which have an equals sign behind a word, and columns.
    pub(super) fn of(shape: &VirtualTable) -> Self {
        let (columns, content) = (Vec::new(), Content::Own);
        let rowid = "rowid".to_owned();
        let mut table = Self { columns, content, foreign_tokenizer: None, rowid, locale: false };
        for argument in &shape.arguments {
            let (word, rest) = first_word(argument);
            match rest.trim_start().strip_prefix('=') {
                None => table.columns.push(unquote(word)),
                Some(value) => table.option(&word.to_ascii_lowercase(), &unquote(value.trim())),
            }
        }
        table
    }

    /// FTS5 takes the start of an option's name for the whole.
    fn option(&mut self, name: &str, value: &str) {
        if "tokenize".starts_with(name) {
            let mut words = value.split_ascii_whitespace().map(unquote);
            let own = ["unicode61", "ascii", "trigram"];
            let named = words.find(|word| !word.eq_ignore_ascii_case("porter"));
            self.foreign_tokenizer = named.filter(|word| !own.iter().any(|own| own.eq_ignore_ascii_case(word)));
        } else if "content".starts_with(name) {
            self.content = if value.is_empty() { Content::None } else { Content::Of(value.to_owned()) };
        } else if "content_rowid".starts_with(name) {
            value.clone_into(&mut self.rowid);
        } else if name == "locale" {
            self.locale = value == "1";
        }
    }
}

impl SpatialIndex {
    /// What the arguments say: the id, the coordinates, and behind a plus sign what is only stored along.
    pub(super) fn of(shape: &VirtualTable) -> Self {
        let name = |argument: &str| unquote(first_word(argument).0);
        let is_auxiliary = |argument: &&String| argument.starts_with('+');
        let (auxiliary, indexed): (Vec<_>, Vec<_>) = shape.arguments.iter().partition(is_auxiliary);
        let mut indexed = indexed.into_iter().map(|argument| name(argument));
        let id = indexed.next().unwrap_or_default();
        let coordinates: Vec<String> = indexed.collect();
        let nodes = NodeFormat { coordinates: coordinates.len(), integers: shape.module == "rtree_i32" };
        let auxiliary = auxiliary.into_iter().map(|argument| name(argument.trim_start_matches('+').trim_start()));
        Self { id, coordinates, auxiliary: auxiliary.collect(), nodes }
    }
}

/// The first word of an argument, with its quotes if it has any, and what follows.
fn first_word(argument: &str) -> (&str, &str) {
    let mut chars = argument.char_indices();
    let close = match chars.next() {
        Some((_, quote @ ('"' | '\'' | '`'))) => quote,
        Some((_, '[')) => ']',
        _ => {
            let is_word =
                |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '\x1a' || !char.is_ascii();
            let end = argument.find(|char| !is_word(char)).unwrap_or(argument.len());
            return argument.split_at_checked(end).unwrap_or((argument, ""));
        }
    };
    let mut end = argument.len();
    while let Some((at, char)) = chars.next() {
        if char == close {
            // Doubled, it is one of the word.
            if close != ']' && argument.get(at + 1..).is_some_and(|rest| rest.starts_with(close)) {
                chars.next();
            } else {
                end = at + 1;
                break;
            }
        }
    }
    argument.split_at_checked(end).unwrap_or((argument, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::columns::parse;
    use crate::dump::default::Reader;
    use crate::dump::shape::Shape;

    fn shape(sql: &str) -> VirtualTable {
        match parse(sql, Reader::Current).unwrap() {
            Shape::Virtual(shape) => shape,
            Shape::Table(_) => panic!("{sql}"),
        }
    }

    #[test]
    fn full_text_arguments_are_columns_and_options() {
        let sql = r#"CREATE VIRTUAL TABLE "f t" USING FTS5(a, "b, c" UNINDEXED, [d e], `f`, 'it''s',
            tokenize = "porter 'ascii'", con='x y', prefix='2 3', content_rowid=id)"#;
        let table = FullText::of(&shape(sql));
        assert_eq!(table.columns, ["a", "b, c", "d e", "f", "it's"]);
        assert_eq!(table.content, Content::Of("x y".to_owned()));
        assert_eq!(table.foreign_tokenizer, None);
        let table = FullText::of(&shape("CREATE VIRTUAL TABLE f USING fts5(a,content='',tokenize='porter icu de')"));
        assert_eq!((table.content, table.foreign_tokenizer.as_deref()), (Content::None, Some("icu")));
        assert_eq!(FullText::of(&shape("CREATE VIRTUAL TABLE f USING fts5(content)")).columns, ["content"]);
    }

    #[test]
    fn r_tree_arguments_are_id_coordinates_and_what_is_stored_along() {
        let sql = "CREATE VIRTUAL TABLE r USING rtree_i32(id, \"min x\", maxX, + note TEXT, +[b c])";
        let table = SpatialIndex::of(&shape(sql));
        assert_eq!(table.id, "id");
        assert_eq!(table.coordinates, ["min x", "maxX"]);
        assert_eq!(table.auxiliary, ["note", "b c"]);
        assert_eq!(table.nodes, NodeFormat { coordinates: 2, integers: true });
    }
}
