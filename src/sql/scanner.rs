//! Looks at SQL byte for byte, as far as is needed to see where a statement ends.

/// The longest word that matters is TEMPORARY.
const LONGEST_WORD: usize = 9;

/// A byte-order mark in UTF-8.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What was seen so far.
#[derive(Clone, Debug)]
pub struct Scanner {
    token: Token,
    statement: State,
    has_begun: bool,
    /// Whether a byte-order mark where a token may begin is space, as it is to SQLite, but not to `sqlite3_complete`.
    marks_are_space: bool,
}

/// What the last bytes were.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    None,
    /// In upper case, and how long it is; of a longer one the start.
    Word([u8; LONGEST_WORD], usize),
    /// It goes on up to this byte.
    Quoted(u8),
    /// A dash, or a slash, which may begin a comment.
    Dash,
    Slash,
    LineComment,
    /// Whether its last byte was an asterisk.
    BlockComment(bool),
    /// The first bytes of what is a byte-order mark or a word, and how many.
    Mark(usize),
}

/// How far a statement has come; of CREATE TRIGGER the semicolons inside do not end it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Start,
    Normal,
    Explain,
    Create,
    Trigger,
    Semicolon,
    End,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { token: Token::None, statement: State::Start, has_begun: false, marks_are_space: false }
    }
}

impl Scanner {
    /// One that takes byte-order marks for space.
    pub fn of_scripts() -> Self {
        Self { marks_are_space: true, ..Self::default() }
    }

    /// Goes on by a byte; says whether it is the semicolon that ends a statement.
    pub fn scan(&mut self, byte: u8) -> bool {
        match self.token {
            Token::Quoted(close) => {
                if byte == close {
                    self.token = Token::None;
                }
                return false;
            }
            Token::LineComment => {
                if byte == b'\n' {
                    self.token = Token::None;
                }
                return false;
            }
            Token::BlockComment(star) => {
                self.token = if star && byte == b'/' { Token::None } else { Token::BlockComment(byte == b'*') };
                return false;
            }
            Token::Dash if byte == b'-' => {
                self.token = Token::LineComment;
                return false;
            }
            Token::Slash if byte == b'*' => {
                self.token = Token::BlockComment(false);
                return false;
            }
            Token::Word(word, length) if is_word(byte) => {
                self.token = Token::Word(with(word, length, byte), length + 1);
                return false;
            }
            Token::Mark(seen) => {
                if MARK.get(seen) == Some(&byte) {
                    let is_whole = seen + 1 == MARK.len();
                    self.token = if is_whole { Token::None } else { Token::Mark(seen + 1) };
                    return false;
                }
                self.unmark();
                return self.scan(byte);
            }
            _ => self.end_token(),
        }
        self.token = match byte {
            _ if self.marks_are_space && byte == MARK[0] => Token::Mark(1),
            b'-' => Token::Dash,
            b'/' => Token::Slash,
            b'\'' | b'"' | b'`' => Token::Quoted(byte),
            b'[' => Token::Quoted(b']'),
            _ if is_word(byte) => Token::Word(with([0; LONGEST_WORD], 0, byte), 1),
            _ => Token::None,
        };
        match byte {
            b';' => return self.semicolon(),
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' => {}
            b'\'' | b'"' | b'`' | b'[' => self.word(b""),
            _ if self.token == Token::None => self.word(b""),
            // A word counts when it is whole, a dash or a slash when it is known to begin no comment.
            _ => self.has_begun |= !matches!(self.token, Token::Dash | Token::Slash | Token::Mark(_)),
        }
        false
    }

    /// Whether the statement has more than space and comments.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the text so far ends between two statements.
    pub fn is_between(mut self) -> bool {
        if matches!(self.token, Token::Quoted(_) | Token::BlockComment(_)) {
            return false;
        }
        self.end_token();
        self.statement == State::Start
    }

    /// What looked like a byte-order mark is a word.
    fn unmark(&mut self) {
        if let Token::Mark(seen) = self.token {
            let mut word = [0; LONGEST_WORD];
            for (place, byte) in word.iter_mut().zip(MARK.iter().take(seen)) {
                *place = *byte;
            }
            self.token = Token::Word(word, seen);
            self.has_begun = true;
        }
    }

    fn end_token(&mut self) {
        self.unmark();
        match self.token {
            Token::Word(word, length) => self.word(word.get(..length).unwrap_or_default()),
            Token::Dash | Token::Slash => self.word(b""),
            _ => {}
        }
        self.token = Token::None;
    }

    /// A word in upper case, or, empty, any other token.
    fn word(&mut self, word: &[u8]) {
        self.has_begun = true;
        self.statement = match (self.statement, word) {
            (State::Start, b"EXPLAIN") => State::Explain,
            (State::Start | State::Explain, b"CREATE") => State::Create,
            (State::Explain, b"EXPLAIN" | b"TEMP" | b"TEMPORARY" | b"TRIGGER" | b"END") => State::Normal,
            (State::Explain, _) => State::Explain,
            (State::Create, b"TEMP" | b"TEMPORARY") => State::Create,
            (State::Create, b"TRIGGER") => State::Trigger,
            (State::Start | State::Normal | State::Create, _) => State::Normal,
            (State::Semicolon, b"END") => State::End,
            (State::Trigger | State::Semicolon | State::End, _) => State::Trigger,
        };
    }

    fn semicolon(&mut self) -> bool {
        self.statement = match self.statement {
            State::Trigger | State::Semicolon => State::Semicolon,
            _ => State::Start,
        };
        let ends = self.statement == State::Start;
        self.has_begun &= !ends;
        ends
    }
}

/// Whether text ends with the end of a statement, as `sqlite3_complete` says, or has none.
pub fn is_complete(sql: &str) -> bool {
    let mut scanner = Scanner::default();
    for byte in sql.bytes() {
        scanner.scan(byte);
    }
    scanner.is_between()
}

fn with(mut word: [u8; LONGEST_WORD], length: usize, byte: u8) -> [u8; LONGEST_WORD] {
    if let Some(place) = word.get_mut(length) {
        *place = byte.to_ascii_uppercase();
    }
    word
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
