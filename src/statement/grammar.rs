//! The grammar. Keywords are read in any case; clauses after a destination come in any order.

use winnow::Parser;
use winnow::combinator::{alt, opt, preceded, repeat};
use winnow::error::EmptyError;
use winnow::stream::{Stateful, TokenSlice};

use crate::catalog::Target;
use crate::error::Error;

use super::expected::Furthest;
use super::options::{Given, Known, value_of, with, with_schedule};
use super::syntax::{Backup, Base, Full, Place, Restore, Schedule, Statement, Targets};
use super::targets::{database, databases, list, name, place, targets};
use super::token::{Kind, Problem, Token};
use super::words::{Input, Parsed, here, keyword, phrase, refused, sign, take_or, text, value};

/// Reads all of `tokens`; the place of a problem is a byte offset.
pub(super) fn statement(tokens: &[Token]) -> Result<Statement, Problem> {
    let furthest = Furthest::new(tokens.len());
    let mut input = Stateful { input: TokenSlice::new(tokens), state: &furthest };
    let end = take_or("the end", |token| (token.kind == Kind::End).then_some(()));
    let semicolons = repeat::<_, _, (), _, _>(0.., sign(';'));
    let parsed = (any_statement, semicolons, end).parse_next(&mut input);
    match parsed {
        Ok((statement, (), ())) if !furthest.has_refused() => Ok(statement),
        _ => Err(furthest.problem(tokens)),
    }
}

fn any_statement(input: &mut Input<'_>) -> Parsed<Statement> {
    alt((
        preceded(keyword("BACKUP"), backup),
        preceded(keyword("RESTORE"), restore),
        preceded(keyword("SHOW"), show),
        schedule,
        preceded(keyword("CHECKPOINT"), checkpoint("CREATE", "RELEASE")),
        preceded(keyword("SNAPSHOT"), checkpoint("PREPARE", "COMPLETE")),
        preceded(keyword("SELECT"), checkpoint_status),
    ))
    .parse_next(input)
}

const BACKUP_SETTINGS: &[Known] = &[
    Known { name: "revision_history", has_value: false },
    Known { name: "tag", has_value: true },
    Known { name: "note", has_value: true },
];

fn backup(input: &mut Input<'_>) -> Parsed<Statement> {
    let targets = opt(targets).parse_next(input)?;
    let to = preceded(keyword("TO"), place).map(|place| (place, Base::Nothing));
    let latest = preceded(phrase("LATEST IN"), place).map(|place| (place, Base::Latest));
    let fresh = place.map(|place| (place, Base::Nothing));
    let chosen = moment_in_place.map(|(at, place)| (place, Base::Moment { at }));
    let into = preceded(keyword("INTO"), alt((latest, chosen, fresh)));
    let mut destination = alt((to, into));
    let destination = match &targets {
        // `BACKUP` alone says nothing.
        None => Some(destination.parse_next(input)?),
        Some(_) => opt(destination).parse_next(input)?,
    };
    let targets = targets.unwrap_or(Targets::All);
    let (place, mut base) = match destination {
        Some((place, base)) => (Some(place), base),
        None => (None, Base::Auto),
    };
    let (mut at, mut settings) = (None, None);
    loop {
        if at.is_none() {
            at = opt(as_of).parse_next(input)?;
            if at.is_some() {
                continue;
            }
        }
        if base == Base::Nothing
            && let Some(places) = opt(preceded(phrase("INCREMENTAL FROM"), list(self::place))).parse_next(input)?
        {
            base = Base::Places { places };
            continue;
        }
        if settings.is_none() {
            settings = opt(with(BACKUP_SETTINGS)).parse_next(input)?;
            if settings.is_some() {
                continue;
            }
        }
        break;
    }
    let settings = settings.unwrap_or_default();
    let revision_history = value_of(&settings, "revision_history").is_some();
    let (tag, note) = (value_of(&settings, "tag"), value_of(&settings, "note"));
    Ok(Statement::Backup(Backup { targets, place, base, at, revision_history, tag, note }))
}

const RESTORE_SETTINGS: &[Known] = &[
    Known { name: "into_db", has_value: true },
    Known { name: "new_db_name", has_value: true },
    Known { name: "no_safety_backup", has_value: false },
];

fn restore(input: &mut Input<'_>) -> Parsed<Statement> {
    let targets = opt(targets).parse_next(input)?.unwrap_or(Targets::All);
    let mut from = preceded(keyword("FROM"), origin);
    let (mut at, places) = match targets {
        // `RESTORE` alone would replace everything.
        Targets::All => from.parse_next(input)?,
        _ => opt(from).parse_next(input)?.unwrap_or_default(),
    };
    let mut settings = None;
    loop {
        if at.is_none() {
            at = opt(as_of).parse_next(input)?;
            if at.is_some() {
                continue;
            }
        }
        if settings.is_none() {
            settings = opt(with(RESTORE_SETTINGS)).parse_next(input)?;
            if settings.is_some() {
                continue;
            }
        }
        break;
    }
    let settings: Vec<Given> = settings.unwrap_or_default();
    let takes_tables = matches!(targets, Targets::Tables { .. });
    for Given { name, token, .. } in &settings {
        match *name {
            "into_db" if !takes_tables => return refused(input, *token, "into_db is for RESTORE TABLE"),
            "new_db_name" if !matches!(&targets, Targets::Databases { names } if names.len() == 1) => {
                return refused(input, *token, "new_db_name is for RESTORE DATABASE of one database");
            }
            _ => {}
        }
    }
    let (into_db, new_db_name) = (value_of(&settings, "into_db"), value_of(&settings, "new_db_name"));
    let no_safety_backup = value_of(&settings, "no_safety_backup").is_some();
    Ok(Statement::Restore(Restore { targets, places, at, into_db, new_db_name, no_safety_backup }))
}

/// `'url', 'url'`, `LATEST IN 'url'`, `'moment' IN 'url'`: which backup, and where it is.
fn origin(input: &mut Input<'_>) -> Parsed<(Option<String>, Vec<Place>)> {
    let latest = preceded(phrase("LATEST IN"), place).map(|place| (None, vec![place]));
    let places = list(place).map(|places| (None, places));
    let moment = moment_in_place.map(|(at, place)| (Some(at), vec![place]));
    alt((latest, moment, places)).parse_next(input)
}

fn moment_in_place(input: &mut Input<'_>) -> Parsed<(String, Place)> {
    let token = here(input);
    // Only what comes next tells that it is no URL.
    let (text, ()) = (value(MOMENT), keyword("IN")).parse_next(input)?;
    let at = checked_moment(text, token, input)?;
    Ok((at, place(input)?))
}

fn show(input: &mut Input<'_>) -> Parsed<Statement> {
    alt((
        keyword("DATABASES").value(Statement::ShowDatabases),
        phrase("ORPHANED BACKUPS").value(Statement::ShowOrphanedBackups),
        keyword("SCHEDULES").value(Statement::ShowSchedules),
        preceded(keyword("BACKUPS"), (of_database, opt(preceded(keyword("IN"), place))))
            .map(|(database, place)| Statement::ShowBackups { database, place }),
        preceded(keyword("BACKUP"), show_backup),
        preceded(alt((keyword("CHECKPOINTS"), keyword("CHECKPOINT"))), opt(database))
            .map(|database| Statement::ShowCheckpoints { database }),
    ))
    .parse_next(input)
}

/// `[FROM] app`, or nothing.
fn of_database(input: &mut Input<'_>) -> Parsed<Option<String>> {
    opt(alt((preceded(keyword("FROM"), database), database))).parse_next(input)
}

/// `['moment'] [FROM app] [IN 'url']`, `FROM LATEST IN 'url'`; `'url'` alone, as it says by its slash.
fn show_backup(input: &mut Input<'_>) -> Parsed<Statement> {
    let alone = text("a URL or a folder in single quotes").verify(|text: &String| text.contains(['/', '\\']));
    if let Some(url) = opt(alone).parse_next(input)? {
        let database = opt(preceded(keyword("FROM"), database)).parse_next(input)?;
        return Ok(Statement::ShowBackup { at: None, database, place: Some(vec![url]) });
    }
    let at = opt(alt((keyword("LATEST").value(None), moment.map(Some)))).parse_next(input)?;
    let is_latest = at.is_none() && opt((keyword("FROM"), keyword("LATEST"))).parse_next(input)?.is_some();
    let database = if is_latest { None } else { opt(preceded(keyword("FROM"), database)).parse_next(input)? };
    let at = at.flatten();
    let place = opt(preceded(keyword("IN"), place)).parse_next(input)?;
    Ok(Statement::ShowBackup { at, database, place })
}

const SCHEDULE_SETTINGS: &[Known] = &[
    Known { name: "first_run", has_value: true },
    Known { name: "ignore_existing_backups", has_value: false },
    Known { name: "timezone", has_value: true },
];
const HISTORY: &[Known] = &[Known { name: "revision_history", has_value: false }];

fn create_schedule(input: &mut Input<'_>) -> Parsed<Statement> {
    let if_not_exists = opt(phrase("IF NOT EXISTS")).parse_next(input)?.is_some();
    let name = opt(name("the schedule's name")).parse_next(input)?;
    phrase("FOR BACKUP").parse_next(input)?;
    let targets = opt(databases).parse_next(input)?.unwrap_or(Targets::All);
    let place = opt(preceded(alt((keyword("INTO"), keyword("TO"))), place)).parse_next(input)?;
    let revision_history = opt(with(HISTORY)).parse_next(input)?.is_some();
    keyword("RECURRING").parse_next(input)?;
    let recurring = times("a cron expression such as '@daily' or '0 1 * * *'", is_cron).parse_next(input)?;
    let often = times("a weekday such as 'Sunday', or a cron expression such as '@weekly'", |text| {
        is_weekday(text) || is_cron(text)
    });
    let always = keyword("ALWAYS").value(Full::Always);
    let full = preceded(phrase("FULL BACKUP"), alt((always, often.map(|times| Full::Recurring { times }))));
    let full = opt(full).parse_next(input)?.unwrap_or(Full::Auto);
    let settings = opt(with_schedule(SCHEDULE_SETTINGS)).parse_next(input)?.unwrap_or_default();
    for Given { name, value, token } in &settings {
        if *name == "first_run" && !value.eq_ignore_ascii_case("now") {
            return refused(input, *token, "first_run can only be 'now': a schedule's first backup is made at once");
        }
    }
    let timezone = value_of(&settings, "timezone");
    let schedule = Schedule { name, if_not_exists, targets, place, revision_history, recurring, full, timezone };
    Ok(Statement::CreateSchedule(schedule))
}

fn schedule(input: &mut Input<'_>) -> Parsed<Statement> {
    alt((
        preceded(keyword("CREATE"), preceded(keyword("SCHEDULE"), create_schedule)),
        preceded(keyword("PAUSE"), schedule_name).map(|name| Statement::PauseSchedule { name }),
        preceded(keyword("RESUME"), schedule_name).map(|name| Statement::ResumeSchedule { name }),
        preceded(keyword("DROP"), schedule_name).map(|name| Statement::DropSchedule { name }),
    ))
    .parse_next(input)
}

/// `SCHEDULE nightly`.
fn schedule_name(input: &mut Input<'_>) -> Parsed<String> {
    preceded(alt((keyword("SCHEDULE"), keyword("SCHEDULES"))), name("the schedule's name")).parse_next(input)
}

fn checkpoint(create: &'static str, release: &'static str) -> impl FnMut(&mut Input<'_>) -> Parsed<Statement> {
    move |input| {
        let create = preceded(keyword(create), opt(database)).map(|database| Statement::CreateCheckpoint { database });
        let release =
            preceded(keyword(release), opt(database)).map(|database| Statement::ReleaseCheckpoint { database });
        alt((create, release)).parse_next(input)
    }
}

/// `* FROM checkpoint_status()`.
fn checkpoint_status(input: &mut Input<'_>) -> Parsed<Statement> {
    (sign('*'), keyword("FROM"), keyword("checkpoint_status"), sign('('), sign(')'))
        .value(Statement::ShowCheckpoints { database: None })
        .parse_next(input)
}

/// `AS OF SYSTEM TIME '-1m'`.
fn as_of(input: &mut Input<'_>) -> Parsed<String> {
    preceded(phrase("AS OF SYSTEM TIME"), moment).parse_next(input)
}

const MOMENT: &str = "a moment in single quotes: '-1m', '2026-11-20T10:00:00Z', an id";

fn moment(input: &mut Input<'_>) -> Parsed<String> {
    let token = here(input);
    let text = value(MOMENT).parse_next(input)?;
    checked_moment(text, token, input)
}

/// A time, an age, an id, a bookmark, a TXID. An age counts from when the statement is carried out.
fn checked_moment(text: String, token: usize, input: &Input<'_>) -> Parsed<String> {
    match Target::parse(&text, 0) {
        Ok(_) => Ok(text),
        Err(Error { kind, .. }) => refused(input, token, kind.message()),
    }
}

/// A text that says when something is done.
fn times<'a>(what: &'static str, fits: fn(&str) -> bool) -> impl Parser<Input<'a>, String, EmptyError> {
    move |input: &mut Input<'a>| {
        let token = here(input);
        let text = text(what).parse_next(input)?;
        if fits(&text) {
            return Ok(text);
        }
        refused(input, token, format!("this text cannot stand here; expected {what}"))
    }
}

/// Whether that looks like a cron expression; whoever runs it knows better.
fn is_cron(text: &str) -> bool {
    let fields = text.split_whitespace().count();
    (fields == 1 && text.trim().starts_with('@')) || fields == 5 || fields == 6
}

fn is_weekday(text: &str) -> bool {
    const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    DAYS.iter().any(|day| text.eq_ignore_ascii_case(day))
}
