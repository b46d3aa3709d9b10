//! Words, texts and signs of a statement, and where they begin.

use winnow::Parser;
use winnow::combinator::{alt, delimited, not, opt, preceded, repeat, repeat_till};
use winnow::error::EmptyError;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{any, take_while};

/// A statement that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the word begins that is wrong, in UTF-16 code units, as JavaScript and Java count.
    pub position: usize,
    /// What is wrong, and what could stand there. No quoted text is in it: that may be a URL with a password.
    pub message: String,
    /// What could stand there: keywords in capitals, and descriptions. Empty where the word itself is the matter.
    pub expected: Vec<&'static str>,
}

impl Problem {
    /// At a byte offset, until [`Problem::in_units_of`] counts anew.
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { position: at, message: message.into(), expected: Vec::new() }
    }

    /// With the position in UTF-16 code units instead of bytes.
    pub(super) fn in_units_of(self, text: &str) -> Self {
        let before = text.get(..self.position).unwrap_or(text);
        Self { position: before.encode_utf16().count(), ..self }
    }
}

/// What a text is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits, `_`, `$` and `-`: a keyword, a name, a number.
    Word(String),
    /// `'…'`, in which `''` is one quote.
    Text(String),
    /// `"…"`, in which `""` is one quote.
    Quoted(String),
    /// Any other character.
    Sign(char),
    /// Where the text ends.
    End,
}

/// A part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Byte offset of its first character.
    pub(super) at: usize,
    /// Whether nothing stands between the token before and this one.
    pub(super) is_joined: bool,
}

type Input<'a> = LocatingSlice<&'a str>;

/// Splits a text; the last token is its end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut input = LocatingSlice::new(text);
    let mut tokens = Vec::new();
    loop {
        let before = input.current_token_start();
        let _ = space(&mut input);
        let at = input.current_token_start();
        let kind = kind(&mut input).unwrap_or(Kind::End);
        // What has no end would swallow whatever follows: nothing after it can be judged.
        let open = match kind {
            Kind::Sign('\'' | '"') => Some("this quote is never closed"),
            Kind::Sign('/') if text.get(at..).is_some_and(|rest| rest.starts_with("/*")) => {
                Some("this comment is never closed")
            }
            _ => None,
        };
        if let Some(message) = open {
            return Err(Problem::new(at, message).in_units_of(text));
        }
        let is_end = kind == Kind::End;
        tokens.push(Token { kind, at, is_joined: at == before });
        if is_end {
            return Ok(tokens);
        }
    }
}

fn space(input: &mut Input<'_>) -> Result<(), EmptyError> {
    let line = ("--", take_while(0.., |c| c != '\n')).void();
    repeat(0.., alt((take_while(1.., is_space).void(), line, block_comment))).parse_next(input)
}

/// `/* … */`, in which there may be others, as CockroachDB has it.
fn block_comment(input: &mut Input<'_>) -> Result<(), EmptyError> {
    "/*".void().parse_next(input)?;
    let mut open = 1;
    while open > 0 {
        let begins = alt(("/*".value(true), "*/".value(false)));
        let (_, is_another) = repeat_till::<_, _, (), _, _, _, _>(0.., any, begins).parse_next(input)?;
        open = if is_another { open + 1 } else { open - 1 };
    }
    Ok(())
}

/// A byte-order mark is space, too.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn kind(input: &mut Input<'_>) -> Result<Kind, EmptyError> {
    alt((word.map(Kind::Word), in_quotes('\'').map(Kind::Text), in_quotes('"').map(Kind::Quoted), any.map(Kind::Sign)))
        .parse_next(input)
}

/// A hyphen may stand inside a word; two of them begin a comment.
fn word(input: &mut Input<'_>) -> Result<String, EmptyError> {
    let letters = || take_while(1.., |c: char| c.is_alphanumeric() || c == '_' || c == '$');
    let hyphen = ('-', not('-'));
    let rest = repeat::<_, _, (), _, _>(0.., (hyphen, opt(letters())));
    (letters(), rest).take().map(String::from).parse_next(input)
}

fn in_quotes<'a>(quote: char) -> impl Parser<Input<'a>, String, EmptyError> {
    let plain = take_while(1.., move |c| c != quote);
    let doubled = preceded(quote, quote.take());
    let inside = repeat(0.., alt((plain, doubled))).fold(String::new, |mut text, part: &str| {
        text.push_str(part);
        text
    });
    delimited(quote, inside, quote)
}
