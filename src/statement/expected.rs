//! What could stand where a statement is wrong.

use core::cell::RefCell;

use super::token::{Kind, Problem, Token};

/// As much of a word is repeated, in characters.
const SHOWN: usize = 40;

/// The place that parsers reached, and what they looked for there: what failed furthest on is what a user meant.
#[derive(Debug)]
pub(super) struct Furthest {
    /// How many tokens there are.
    tokens: usize,
    reached: RefCell<Reached>,
}

#[derive(Debug, Default)]
struct Reached {
    /// Number of the token.
    token: usize,
    expected: Vec<&'static str>,
    /// A word that fits the grammar and cannot be all the same: number of its token, and why.
    refusal: Option<(usize, String)>,
}

impl Furthest {
    /// Expectations for so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        Self { tokens, reached: RefCell::default() }
    }

    /// The number of the next token when so many are left.
    pub(super) fn token_when_left(&self, left: usize) -> usize {
        self.tokens.saturating_sub(left)
    }

    /// Something was looked for at this token, and was not there.
    pub(super) fn missed(&self, token: usize, what: &'static str) {
        let mut reached = self.reached.borrow_mut();
        if token > reached.token {
            reached.token = token;
            reached.expected.clear();
        }
        if token == reached.token && !reached.expected.contains(&what) {
            reached.expected.push(what);
        }
    }

    /// This token cannot be, whatever else could.
    pub(super) fn refuse(&self, token: usize, why: impl Into<String>) {
        self.reached.borrow_mut().refusal.get_or_insert_with(|| (token, why.into()));
    }

    /// Whether a token was refused.
    pub(super) fn has_refused(&self) -> bool {
        self.reached.borrow().refusal.is_some()
    }

    /// What is to be said of a statement that did not parse.
    pub(super) fn problem(self, tokens: &[Token]) -> Problem {
        let Reached { token, expected, refusal } = self.reached.into_inner();
        let at = |token: usize| tokens.get(token).map_or(0, |token| token.at);
        if let Some((token, why)) = refusal {
            return Problem::new(at(token), why);
        }
        let found = tokens.get(token).map_or(&Kind::End, |token| &token.kind);
        // Words tell more than signs do.
        let (words, signs): (Vec<&str>, Vec<&str>) = expected.iter().partition(|what| !what.starts_with('"'));
        let message = format!("{}; expected {}", said_of(found), one_of(&[words, signs].concat()));
        Problem { expected, ..Problem::new(at(token), message) }
    }
}

fn said_of(found: &Kind) -> String {
    match found {
        Kind::Word(word) => {
            let shown: String = word.chars().take(SHOWN).collect();
            let more = if shown.len() < word.len() { "…" } else { "" };
            format!("{shown}{more} cannot stand here")
        }
        Kind::Text(_) => "a text in quotes cannot stand here".to_owned(),
        Kind::Quoted(_) => "a name in quotes cannot stand here".to_owned(),
        Kind::Sign(sign) => format!("{} cannot stand here", sign.escape_debug()),
        Kind::End => "the statement ends too early".to_owned(),
    }
}

/// `A, B or C`.
fn one_of(all: &[&str]) -> String {
    match all {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => all.concat(),
    }
}
