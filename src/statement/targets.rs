//! Names of databases and tables, and where backups are.

use winnow::Parser;
use winnow::combinator::{alt, delimited, opt, peek, preceded, separated};
use winnow::error::EmptyError;
use winnow::token::any;

use super::syntax::{Place, TableName, Targets};
use super::token::{Kind, Token};
use super::words::{Input, Parsed, is_reserved, keyword, sign, take_or, text};

/// `DATABASE [a, b]`, `TABLE a, b.c, d.*`; `b.c, d.*`, as CockroachDB takes tables, too.
pub(super) fn targets(input: &mut Input<'_>) -> Parsed<Targets> {
    let tables = preceded(alt((keyword("TABLE"), dotted_name)), list(table)).map(|names| Targets::Tables { names });
    alt((databases, tables)).parse_next(input)
}

/// Nothing, before a name with a dot: another word would rather be a keyword that is spelled wrong.
fn dotted_name(input: &mut Input<'_>) -> Parsed<()> {
    let begins = any.verify(|token| of_name(token, true).is_some());
    peek((begins, any.verify(is_joined_dot))).void().parse_next(input)
}

/// `DATABASE [a, b]`.
pub(super) fn databases(input: &mut Input<'_>) -> Parsed<Targets> {
    let names = preceded(keyword("DATABASE"), opt(list(database))).parse_next(input)?;
    Ok(names.map_or(Targets::All, |names| Targets::Databases { names }))
}

/// The name of a database: a word, words joined by dots, or a name in quotes.
pub(super) fn database(input: &mut Input<'_>) -> Parsed<String> {
    parts("the name of a database", input).map(|parts| parts.join("."))
}

/// The name of anything else.
pub(super) fn name<'a>(what: &'static str) -> impl Parser<Input<'a>, String, EmptyError> {
    move |input: &mut Input<'a>| parts(what, input).map(|parts| parts.join("."))
}

/// `'url'`, or `('url', 'url')` for a store that is made of several.
pub(super) fn place(input: &mut Input<'_>) -> Parsed<Place> {
    let one = || text("a URL or a folder in single quotes");
    let several = delimited(sign('('), list(one()), sign(')'));
    alt((one().map(|one| vec![one]), several)).parse_next(input)
}

/// `a, b, c`.
pub(super) fn list<'a, O>(one: impl Parser<Input<'a>, O, EmptyError>) -> impl Parser<Input<'a>, Vec<O>, EmptyError> {
    separated(1.., one, sign(','))
}

/// `t`, `app.t`, `app.public.t` as CockroachDB writes it, `app.*`.
fn table(input: &mut Input<'_>) -> Parsed<TableName> {
    let mut parts = parts("the name of a table", input)?;
    let is_all = opt((any.verify(is_joined_dot), sign('*'))).parse_next(input)?.is_some();
    let table = if is_all { None } else { parts.pop() };
    if parts.len() > 1 && parts.last().is_some_and(|schema| schema == "public") {
        parts.pop();
    }
    let database = if parts.is_empty() { None } else { Some(parts.join(".")) };
    Ok(TableName { database, table })
}

/// Parts of a name, joined by dots without a space.
fn parts(what: &'static str, input: &mut Input<'_>) -> Parsed<Vec<String>> {
    let mut parts = vec![take_or(what, |token| of_name(token, true)).parse_next(input)?];
    loop {
        let dot = any.verify(is_joined_dot);
        let part = take_or(what, |token| if token.is_joined { of_name(token, false) } else { None });
        match opt(preceded(dot, part)).parse_next(input)? {
            Some(part) => parts.push(part),
            None => return Ok(parts),
        }
    }
}

/// Nobody is told that there could be one: after every name there could.
fn is_joined_dot(token: &Token) -> bool {
    token.kind == Kind::Sign('.') && token.is_joined
}

fn of_name(token: &Token, is_first: bool) -> Option<String> {
    match &token.kind {
        Kind::Word(word) if !(is_first && is_reserved(word)) => Some(word.clone()),
        Kind::Text(name) | Kind::Quoted(name) if !name.is_empty() => Some(name.clone()),
        _ => None,
    }
}
