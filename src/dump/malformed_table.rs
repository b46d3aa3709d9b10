//! Tables that SQLite does not take, from a schema that somebody wrote into. Where only an expression is wrong, the rows are
//! there all the same: SQLite itself reads such a table, without the CHECK.

use core::ops::Range;

use sqlite3_parser::lexer::sql::TokenType;

use super::columns;
use super::default::Reader;
use super::expression_names::{AGGREGATES, FLEETING, ROWIDS, Role, is_one_of, names};
use super::foreign_keys::circles;
use super::identifier::tokens;
use super::parser::can_be_parsed;
use super::schema::Object;
use super::shape::{Shape, TableShape, position};

/// Bytes of SQL times columns: more is only in hostile databases, and would take time.
const MOST: usize = 1 << 27;

/// What is wrong with the SQL of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Unparsed,
    Refused,
    /// With the SQL that has no more of it.
    Expression(String),
}

/// What SQLite does not take of a table, as far as that shows without SQLite.
pub(super) fn fault_of(table: &Object, sql: &str) -> Option<Fault> {
    match columns::parse(sql, Reader::Current) {
        Ok(Shape::Table(shape)) if shape.is_taken => mended(sql, &table.name, &shape).map(Fault::Expression),
        Ok(Shape::Table(_)) => Some(Fault::Refused),
        Ok(Shape::Virtual(_)) => None,
        Err(_) => can_be_parsed(sql).then_some(Fault::Unparsed),
    }
}

/// An expression in the SQL of a table.
struct Place {
    /// CHECK, AS or DEFAULT.
    what: TokenType,
    /// Which column it is in, if that is one of those that are there.
    column: usize,
    /// Where, without the parentheses.
    range: Range<usize>,
}

/// The SQL with 1 for a CHECK that SQLite does not take, and NULL for what else it does not compute, if there is such.
#[inline(never)]
fn mended(sql: &str, table: &str, shape: &TableShape) -> Option<String> {
    let places = places(sql);
    // The one is compared with the other.
    if places.is_empty() || sql.len() * shape.columns.len() > MOST {
        return None;
    }
    let mut reads = vec![Vec::new(); shape.columns.len()];
    let mut faulty: Vec<bool> = Vec::new();
    for place in &places {
        let text: Vec<_> = tokens(sql.get(place.range.clone())?).collect();
        let is_computed = matches!(place.what, TokenType::TK_AS);
        let is_default = matches!(place.what, TokenType::TK_DEFAULT);
        let mut is_refused = false;
        for (name, role) in &names(&text) {
            let column = position(&shape.columns, name);
            is_refused |= match role {
                Role::Foreign => true,
                Role::Function => is_one_of(name, &AGGREGATES) || is_computed && is_one_of(name, &FLEETING),
                Role::Column if is_default => true,
                Role::Column if !is_computed && !shape.without_rowid && is_one_of(name, &ROWIDS) => false,
                Role::Column => column.is_none(),
                Role::ColumnOrText => false,
                Role::Table => is_default || is_computed || !name.eq_ignore_ascii_case(table),
            };
            if let (true, Some(reads)) = (is_computed, reads.get_mut(place.column))
                && matches!(role, Role::Column | Role::ColumnOrText)
            {
                reads.extend(column);
            }
        }
        faulty.push(is_refused);
    }
    let circles = circles(&reads);
    let is_in_circle = |column: usize| {
        let others = circles
            .iter()
            .enumerate()
            .filter(|&(other, circle)| other != column && circles.get(column) == Some(circle));
        others.count() > 0 || reads.get(column).is_some_and(|reads| reads.contains(&column))
    };
    let mut mended = String::new();
    let mut from = 0;
    for (Place { what, column, range }, is_refused) in places.iter().zip(faulty) {
        let is_computed = matches!(what, TokenType::TK_AS);
        if is_refused || is_computed && is_in_circle(*column) {
            mended.push_str(sql.get(from..range.start)?);
            mended.push_str(if matches!(what, TokenType::TK_CHECK) { "1" } else { "NULL" });
            from = range.end;
        }
    }
    mended.push_str(sql.get(from..)?);
    (from > 0).then_some(mended)
}

#[inline(never)]
fn places(sql: &str) -> Vec<Place> {
    let (mut depth, mut column) = (0usize, 0);
    let (mut what, mut start) = (None, None);
    let mut places = Vec::new();
    for (token, kind) in tokens(sql) {
        let at = token.as_ptr().addr() - sql.as_ptr().addr();
        match kind {
            TokenType::TK_LP => {
                depth += 1;
                if depth == 2 {
                    start = what.take().map(|what| (what, at + 1));
                }
            }
            TokenType::TK_RP => {
                depth = depth.saturating_sub(1);
                if let (1, Some((what, start))) = (depth, start) {
                    places.push(Place { what, column, range: start..at });
                }
            }
            TokenType::TK_COMMA if depth == 1 => column += 1,
            _ if depth == 1 => {
                let is_expression = matches!(kind, TokenType::TK_CHECK | TokenType::TK_AS | TokenType::TK_DEFAULT);
                what = is_expression.then_some(kind);
            }
            _ => {}
        }
    }
    places
}
