use proptest::prelude::*;

use super::*;

fn localities(tags: &[&str]) -> Result<Localities> {
    Localities::new(tags.iter().map(|tag| Locality::parse(tag)).collect::<Result<_>>()?)
}

fn account(first: u64, txid: u64, locality: &str) -> Account {
    let kind = if first == 1 { Kind::Full } else { Kind::Incremental };
    let locality = Locality::parse(locality).unwrap();
    Account { lineage: Lineage(0xfeed), first: Txid(first), txid: Txid(txid), kind, locality }
}

fn sorted<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys
}

/// The keys of an account's objects, below the database's folder.
fn keys_of(account: &Account) -> Vec<String> {
    account.lost_from(&[], Layout::Folder)
}

#[test]
fn b14_a_store_has_the_locality_default_or_one_tier_and_one_store_is_the_default() {
    assert_eq!(Locality::parse("region=eu").unwrap().to_string(), "region=eu");
    for bad in ["", "region", "=eu", "region=", "region=eu,az=1", "region=eu=1", "a b=c", "a=\u{202e}", "Default"] {
        assert_eq!(Locality::parse(bad).unwrap_err().kind, ErrorKind::LocalitySyntax, "{bad:?}");
    }
    assert!(ErrorKind::LocalitySyntax.message().contains("tier must be in the form \"key=value\""));
    assert_eq!(localities(&["region=eu", "az=1"]).unwrap_err().kind, ErrorKind::LocalityDefault);
    for twice in [["default", "default"], ["region=eu", "region=eu"]] {
        assert_eq!(localities(&twice).unwrap_err().kind, ErrorKind::LocalityTwice);
    }
}

#[test]
fn b15_the_smallest_place_that_fits_is_written_to_and_the_default_where_none_does() {
    let stores = localities(&["default", "region=eu", "az=1", "region=us"]).unwrap();
    let fitting = |text| stores.fitting(&Tier::parse_all(text).unwrap());
    assert_eq!(fitting("region=eu,az=1"), 2);
    assert_eq!(fitting("region=eu,az=2"), 1);
    assert_eq!(fitting("az=1,region=eu"), 1, "the order says which place is smaller");
    assert_eq!(fitting("region=mars"), 0);
    assert_eq!(fitting("default"), 0);
    for bad in ["", "region=eu,", "region=eu,region=us", "region"] {
        assert_eq!(Tier::parse_all(bad).unwrap_err().kind, ErrorKind::LocalitySyntax, "{bad:?}");
    }
}

#[test]
fn b16_a_url_says_a_locality_encoded_once() {
    assert_eq!(Locality::decode("region%3Dus-west").unwrap().to_string(), "region=us-west");
    assert_eq!(Locality::decode("region%3dM%C3%BCnchen").unwrap().to_string(), "region=München");
    assert_eq!(Locality::decode("default").unwrap(), Locality::Default);
    for bad in ["region=us-west", "region%253Dus", "region%3Deu+1", "a%3", "a%zz", "a%3D%ff", "region%3Deu,az%3D1"] {
        assert_eq!(Locality::decode(bad).unwrap_err().kind, ErrorKind::LocalityEncoding, "{bad:?}");
    }
    assert_eq!(Locality::decode("region%3Deu%2Caz%3D1").unwrap_err().kind, ErrorKind::LocalitySyntax);
}

#[test]
fn b22_a_store_is_named_by_its_locality_or_its_value_alone() {
    let stores = localities(&["region=eu", "default", "az=1", "rack=1"]).unwrap();
    assert_eq!(stores.named("eu").unwrap(), 0);
    assert_eq!(stores.named("region=eu").unwrap(), 0);
    assert_eq!(stores.named("default").unwrap(), 1);
    for unclear in ["1", "us", ""] {
        assert_eq!(stores.named(unclear).unwrap_err().kind, ErrorKind::LocalityUnknown);
    }
}

#[test]
fn b19_what_is_nowhere_is_named_with_the_locality_that_it_was_written_to() {
    let stores = localities(&["default", "region=eu"]).unwrap();
    let accounts = [account(1, 3, "region=eu"), account(4, 4, "region=eu"), account(5, 5, "default")];
    let [eu, more, own] = accounts.each_ref().map(keys_of);
    let all: Vec<&str> = eu.iter().chain(&more).map(String::as_str).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let lost = |keys: &[&str]| stores.lost(&accounts, &[sorted(&own), sorted(keys)], Layout::Bucket);
    // In a folder's layout, where that of a bucket is looked for.
    assert_eq!(lost(&all), []);
    for missing in &all {
        let rest: Vec<&str> = all.iter().copied().filter(|key| key != missing).collect();
        let [found] = &lost(&rest)[..] else { panic!("{missing}") };
        assert_eq!((found.locality.to_string().as_str(), found.store, found.given), ("region=eu", 1, true));
        assert_eq!(found.keys.len(), 1);
    }
    assert_eq!(lost(&[])[0].keys.len(), 6);
}

#[test]
fn b17_b18_a_part_may_be_in_any_store_as_long_as_it_is_together() {
    let stores = localities(&["default", "region=moved"]).unwrap();
    let accounts = [account(1, 3, "region=eu"), account(4, 4, "region=eu")];
    let [first, second] = accounts.each_ref().map(keys_of);
    let [first, second] = [&first, &second].map(|keys| keys.iter().map(String::as_str).collect::<Vec<_>>());
    let all = [first.clone(), second.clone()].concat();
    let lost = |stored: [&[&str]; 2]| stores.lost(&accounts, &stored.map(sorted), Layout::Folder);
    assert_eq!(lost([&all, &[]]), []);
    assert_eq!(lost([&[], &all]), []);
    let [split] = &lost([&first, &second])[..] else { panic!("split") };
    assert_eq!((split.given, split.keys.len()), (false, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn b16_any_text_is_a_locality_or_refused(text in "(?s)[%=,a-z0-9\u{0}-\u{20}é]{0,24}|.{0,40}|(%[0-9a-fA-F]{0,2}){0,12}") {
        for parsed in [Locality::parse(&text), Locality::decode(&text)].into_iter().flatten() {
            prop_assert_eq!(Locality::parse(&parsed.to_string()).unwrap(), parsed.clone());
            prop_assert_eq!(Locality::decode(&parsed.segment().unwrap()).unwrap(), parsed.clone());
            let account = Account { locality: parsed, ..account(2, 9, "default") };
            prop_assert_eq!(Account::parse(&account.key().unwrap()), Some(account));
        }
        let _ = Tier::parse_all(&text);
        let _ = Account::parse(&text);
        if let Some(account) = Account::parse(&format!("{ACCOUNTS}{text}")) {
            prop_assert_eq!(account.key().unwrap(), format!("{ACCOUNTS}{text}"));
        }
    }
}

/// By hand: PROPTEST_CASES=10000.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}
