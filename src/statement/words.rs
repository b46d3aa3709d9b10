//! What the grammar is made of: keywords, signs, texts, each of which notes down what it missed.

use winnow::Parser;
use winnow::error::EmptyError;
use winnow::stream::{Stateful, Stream, TokenSlice};

use super::expected::Furthest;
use super::token::{Kind, Token};

/// Words that end a name, or anything else that could be left out.
const RESERVED: &[&str] = &["AS", "FOR", "FROM", "IN", "INCREMENTAL", "INTO", "RECURRING", "TO", "WITH"];

/// Whether a name must be in quotes to be one.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

/// Tokens that are left, and what was missed so far.
pub(super) type Input<'a> = Stateful<TokenSlice<'a, Token>, &'a Furthest>;
pub(super) type Parsed<O> = Result<O, EmptyError>;

/// A keyword, in any case.
pub(super) fn keyword<'a>(word: &'static str) -> impl Parser<Input<'a>, (), EmptyError> {
    take_or(word, move |token| is_word(token, word).then_some(()))
}

/// Keywords that follow each other; the first that is missed stands for all of them.
pub(super) fn phrase<'a>(words: &'static str) -> impl Parser<Input<'a>, (), EmptyError> {
    move |input: &mut Input<'a>| {
        for (at, word) in words.split(' ').enumerate() {
            let what = if at == 0 { words } else { word };
            take_or(what, |token| is_word(token, word).then_some(())).parse_next(input)?;
        }
        Ok(())
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(&token.kind, Kind::Word(found) if found.eq_ignore_ascii_case(word))
}

/// A character that stands for itself.
pub(super) fn sign<'a>(sign: char) -> impl Parser<Input<'a>, (), EmptyError> {
    let what = match sign {
        '(' => "\"(\"",
        ')' => "\")\"",
        ',' => "\",\"",
        '=' => "\"=\"",
        '*' => "\"*\"",
        _ => "\";\"",
    };
    take_or(what, move |token| (token.kind == Kind::Sign(sign)).then_some(()))
}

/// A text in single quotes that is not empty.
pub(super) fn text<'a>(what: &'static str) -> impl Parser<Input<'a>, String, EmptyError> {
    take_or(what, |token| match &token.kind {
        Kind::Text(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    })
}

/// The same, or a word: a number, say.
pub(super) fn value<'a>(what: &'static str) -> impl Parser<Input<'a>, String, EmptyError> {
    take_or(what, |token| match &token.kind {
        Kind::Text(text) if !text.is_empty() => Some(text.clone()),
        Kind::Word(word) if !is_reserved(word) => Some(word.clone()),
        _ => None,
    })
}

/// The next token, if `fits` takes it; `what` could have stood there otherwise.
pub(super) fn take_or<'a, O>(
    what: &'static str,
    fits: impl Fn(&Token) -> Option<O>,
) -> impl Parser<Input<'a>, O, EmptyError> {
    move |input: &mut Input<'a>| {
        let start = input.checkpoint();
        let number = here(input);
        // Not by a combinator: this is compiled once for each closure.
        if let Some(taken) = input.next_token().and_then(&fits) {
            return Ok(taken);
        }
        input.reset(&start);
        input.state.missed(number, what);
        Err(EmptyError)
    }
}

/// The number of the next token.
pub(super) fn here(input: &Input<'_>) -> usize {
    input.state.token_when_left(input.eof_offset())
}

/// Ends the reading: that token cannot be.
pub(super) fn refused<O>(input: &Input<'_>, token: usize, why: impl Into<String>) -> Parsed<O> {
    input.state.refuse(token, why);
    Err(EmptyError)
}
