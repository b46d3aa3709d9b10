use proptest::prelude::*;

use crate::statement::{Backup, Base, Full, Place, Restore, Schedule, Statement, TableName, Targets, parse};

/// How many random statements are tried: `PAGEMARK_STATEMENTS`, and 300 unless given.
fn cases() -> ProptestConfig {
    let cases = std::env::var("PAGEMARK_STATEMENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(300);
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_statement_printed_and_read_again_is_equal(statement in any_statement()) {
        prop_assert_eq!(parse(&statement.to_string()), Ok(statement));
    }

    #[test]
    fn a_statement_that_was_damaged_is_read_or_its_problem_has_a_place(
        statement in any_statement(), at in any::<prop::sample::Index>(), length in 0_usize..6, put in "\\PC{0,4}|[;'\"(),.*= -]|TO|AS|WITH",
    ) {
        let mut chars: Vec<char> = statement.to_string().chars().collect();
        let from = at.index(chars.len() + 1);
        let to = chars.len().min(from + length);
        chars.splice(from..to, put.chars());
        is_answered(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_is_answered(text in "(\\PC|BACKUP |TO |'|\"|--|/\\*|\\*/|SHOW |\u{feff}|\u{1f600}| ){0,60}") {
        is_answered(&text);
    }
}

fn is_answered(text: &str) {
    match parse(text) {
        Ok(statement) => assert_eq!(parse(&statement.to_string()), Ok(statement), "{text}"),
        Err(problem) => {
            let units: Vec<u16> = text.encode_utf16().collect();
            assert!(problem.position <= units.len(), "{text}: {problem:?}");
            // The place is between two characters.
            assert!(
                String::from_utf16(units.get(..problem.position).unwrap_or_default()).is_ok(),
                "{text}: {problem:?}"
            );
            assert!(!problem.message.is_empty());
        }
    }
}

fn any_statement() -> BoxedStrategy<Statement> {
    let named = prop_oneof![
        any_name().prop_map(|name| Statement::PauseSchedule { name }),
        any_name().prop_map(|name| Statement::ResumeSchedule { name }),
        any_name().prop_map(|name| Statement::DropSchedule { name }),
    ];
    let checkpoints = prop_oneof![
        maybe(any_name()).prop_map(|database| Statement::CreateCheckpoint { database }),
        maybe(any_name()).prop_map(|database| Statement::ReleaseCheckpoint { database }),
        maybe(any_name()).prop_map(|database| Statement::ShowCheckpoints { database }),
    ];
    prop_oneof![
        4 => any_backup().prop_map(Statement::Backup),
        3 => any_restore().prop_map(Statement::Restore),
        2 => any_schedule().prop_map(Statement::CreateSchedule),
        1 => (maybe(any_name()), maybe(any_place())).prop_map(|(database, place)| Statement::ShowBackups { database, place }),
        1 => (maybe(any_moment()), maybe(any_name()), maybe(any_place()))
            .prop_map(|(at, database, place)| Statement::ShowBackup { at, database, place }),
        1 => named,
        1 => checkpoints,
        1 => prop_oneof![
            Just(Statement::ShowDatabases), Just(Statement::ShowOrphanedBackups), Just(Statement::ShowSchedules)
        ],
    ]
    .boxed()
}

fn any_backup() -> BoxedStrategy<Backup> {
    let to = prop_oneof![
        Just((None, Base::Auto)),
        any_place().prop_map(|place| (Some(place), Base::Nothing)),
        any_place().prop_map(|place| (Some(place), Base::Latest)),
        (any_place(), any_moment()).prop_map(|(place, at)| (Some(place), Base::Moment { at })),
        (any_place(), prop::collection::vec(any_place(), 1..4))
            .prop_map(|(place, places)| (Some(place), Base::Places { places })),
    ];
    (any_targets(), to, maybe(any_moment()), any::<bool>(), maybe(any_text()), maybe(any_text()))
        .prop_map(|(targets, (place, base), at, revision_history, tag, note)| Backup {
            targets,
            place,
            base,
            at,
            revision_history,
            tag,
            note,
        })
        .boxed()
}

fn any_restore() -> BoxedStrategy<Restore> {
    let places = prop::collection::vec(any_place(), 0..4);
    (any_targets(), places, any_place(), maybe(any_moment()), maybe(any_name()), any::<bool>())
        .prop_map(|(targets, mut places, place, at, name, no_safety_backup)| {
            if targets == Targets::All && places.is_empty() {
                places.push(place);
            }
            let into_db = name.clone().filter(|_| matches!(targets, Targets::Tables { .. }));
            let is_one = matches!(&targets, Targets::Databases { names } if names.len() == 1);
            Restore { targets, places, at, into_db, new_db_name: name.filter(|_| is_one), no_safety_backup }
        })
        .boxed()
}

fn any_schedule() -> BoxedStrategy<Schedule> {
    let targets = any_targets()
        .prop_map(|targets| if matches!(targets, Targets::Tables { .. }) { Targets::All } else { targets });
    let full = prop_oneof![
        Just(Full::Auto),
        Just(Full::Always),
        prop_oneof![Just("sunday"), Just("@weekly")].prop_map(|times| Full::Recurring { times: times.to_owned() }),
    ];
    let recurring = prop_oneof![Just("@daily".to_owned()), "([0-9*/,]{1,4} ){4}[0-9*]"];
    (maybe(any_name()), any::<bool>(), targets, maybe(any_place()), any::<bool>(), recurring, full, maybe(any_text()))
        .prop_map(|(name, if_not_exists, targets, place, revision_history, recurring, full, timezone)| Schedule {
            name,
            if_not_exists,
            targets,
            place,
            revision_history,
            recurring,
            full,
            timezone,
        })
        .boxed()
}

fn any_targets() -> BoxedStrategy<Targets> {
    let table = (maybe(any_name()), maybe(any_name()))
        // A `*` alone would not name one database, and CockroachDB's `public` is left out.
        .prop_map(|(database, table)| TableName {
            table: table.or(database.is_none().then(|| "t".to_owned())),
            database,
        });
    prop_oneof![
        Just(Targets::All),
        prop::collection::vec(any_name(), 1..4).prop_map(|names| Targets::Databases { names }),
        prop::collection::vec(table, 1..4).prop_map(|names| Targets::Tables { names }),
    ]
    .boxed()
}

fn any_name() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z_][a-z0-9_.-]{0,8}",
        "\\PC{1,6}",
        prop_oneof![
            Just("to"),
            Just("With"),
            Just("if"),
            Just("backup"),
            Just("latest"),
            Just("a--b"),
            Just("a''b\"c")
        ]
        .prop_map(str::to_owned),
    ]
    .boxed()
}

fn any_place() -> BoxedStrategy<Place> {
    prop::collection::vec(any_text(), 1..4).boxed()
}

fn any_text() -> BoxedStrategy<String> {
    prop_oneof![
        "(s3|https|file|sftp)://[a-z0-9.:@%]{0,12}/[a-z0-9%/_-]{0,12}(\\?[A-Z_]{1,8}=[a-z0-9%=&']{0,12})?",
        "\\PC{1,12}",
    ]
    .boxed()
}

fn any_moment() -> BoxedStrategy<String> {
    prop_oneof![Just("2026-11-20T10:00:00Z".to_owned()), "-[1-9][0-9]{0,3}[smhd]", "[0-9a-f]{8}", "[0-9]{10}"].boxed()
}

fn maybe<T: core::fmt::Debug + 'static>(
    strategy: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(strategy)
}
