//! `WITH a, b = 'c'`: settings of a statement.

use winnow::Parser;
use winnow::combinator::opt;
use winnow::error::EmptyError;
use winnow::token::any;

use super::token::{Kind, Token};
use super::words::{Input, Parsed, here, keyword, phrase, refused, sign, value};

/// A setting that a statement knows.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Whether `= value` follows.
    pub(super) has_value: bool,
}

/// One that was given, with its value and the number of the value's token.
pub(super) struct Given {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) token: usize,
}

/// Settings of CockroachDB's that cannot be here, and why.
const REFUSED: &[(&str, &str)] = &[
    ("detached", "DETACHED cannot be: a backup is done when its statement ends"),
    ("kms", "there is no KMS: PAGEMARK_AGE_RECIPIENTS and PAGEMARK_AGE_IDENTITY give the keys of a store"),
    (
        "encryption_passphrase",
        "a statement is no place for a secret: PAGEMARK_AGE_RECIPIENTS and PAGEMARK_AGE_IDENTITY give the keys of a store",
    ),
];

/// `WITH a, b = 'c'`, `WITH OPTIONS (a, b = 'c')`.
pub(super) fn with(known: &'static [Known]) -> impl FnMut(&mut Input<'_>) -> Parsed<Vec<Given>> {
    move |input| {
        keyword("WITH").parse_next(input)?;
        opt(keyword("OPTIONS")).parse_next(input)?;
        list(known, input)
    }
}

/// `WITH SCHEDULE OPTIONS a, b = 'c'`.
pub(super) fn with_schedule(known: &'static [Known]) -> impl FnMut(&mut Input<'_>) -> Parsed<Vec<Given>> {
    move |input| {
        phrase("WITH SCHEDULE OPTIONS").parse_next(input)?;
        list(known, input)
    }
}

/// Takes the value of a setting out of those that were given; nothing when it was not given.
pub(super) fn value_of(given: &[Given], name: &str) -> Option<String> {
    given.iter().find(|each| each.name == name).map(|each| each.value.clone())
}

fn list(known: &'static [Known], input: &mut Input<'_>) -> Parsed<Vec<Given>> {
    let is_enclosed = opt(sign('(')).parse_next(input)?.is_some();
    let mut all: Vec<Given> = Vec::new();
    loop {
        let token = here(input);
        let given = setting(known, input)?;
        if all.iter().any(|each| each.name == given.name) {
            return refused(input, token, format!("{} was given already", given.name));
        }
        all.push(given);
        if opt(sign(',')).parse_next(input)?.is_none() {
            break;
        }
    }
    if is_enclosed {
        sign(')').parse_next(input)?;
    }
    Ok(all)
}

fn setting(known: &'static [Known], input: &mut Input<'_>) -> Parsed<Given> {
    let token = here(input);
    if let Some(why) = opt(any.verify_map(reason_against)).parse_next(input)? {
        return refused(input, token, why);
    }
    let mut found = None;
    for each in known {
        found = found.or(opt(keyword(each.name)).parse_next(input)?.map(|()| each));
    }
    let Some(&Known { name, has_value }) = found else { return Err(EmptyError) };
    if !has_value {
        return Ok(Given { name, value: String::new(), token });
    }
    sign('=').parse_next(input)?;
    let token = here(input);
    Ok(Given { name, value: value("a value in single quotes").parse_next(input)?, token })
}

fn reason_against(token: &Token) -> Option<&'static str> {
    let Kind::Word(word) = &token.kind else { return None };
    REFUSED.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|&(_, why)| why)
}
