//! Stores made of several.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::bookmark::Lineage;
use crate::catalog::locality::{self, ACCOUNTS, Account, Locality, Lost, Tier};
use crate::catalog::{Layout, names};
use crate::error::{ErrorKind, Result};
use crate::page::Txid;

/// A locality as a URL says it, decoded.
#[wasm_bindgen(js_name = decodeLocality)]
pub fn decode_locality(encoded: &str) -> JsResult<String> {
    Ok(Locality::decode(encoded)?.to_string())
}

/// The first TXID of the backup whose record has this key; nothing for the key of another object.
#[wasm_bindgen(js_name = recordFirst)]
pub fn record_first(key: &str) -> Option<String> {
    let (_, below) = key.split_once('/')?;
    Some(names::parse_record_key(below)?.to_string())
}

/// What the keys of all accounts begin with.
#[wasm_bindgen(js_name = accountsPrefix)]
pub fn accounts_prefix() -> String {
    ACCOUNTS.to_owned()
}

/// What the keys of the accounts of a database begin with, or those of its backup from `first` on.
///
/// @param ids of a record of it, as the core's `recordIds` gives them
#[wasm_bindgen(js_name = accountsOf)]
pub fn accounts_of(ids: &str, first: Option<String>) -> JsResult<String> {
    let lineage = ids.split(' ').next().and_then(Lineage::parse).ok_or(ErrorKind::Usage)?;
    let first = first.map(|first| Txid::parse(&first).ok_or(ErrorKind::Usage)).transpose()?;
    Ok(locality::prefix_of(lineage, first))
}

/// What an account says: lineage, first and last TXID, and locality; nothing for another key.
#[wasm_bindgen(js_name = parseAccount)]
pub fn parse_account(key: &str) -> Option<Vec<String>> {
    let Account { lineage, first, txid, locality, .. } = Account::parse(key)?;
    Some(vec![lineage.to_string(), first.to_string(), txid.to_string(), locality.to_string()])
}

/// See the core's `catalog::Localities`.
#[wasm_bindgen]
pub struct Localities(locality::Localities);

#[wasm_bindgen]
impl Localities {
    #[wasm_bindgen(constructor)]
    pub fn new(stores: Vec<String>) -> JsResult<Self> {
        let parsed = stores.iter().map(|text| Locality::parse(text)).collect::<Result<_>>()?;
        Ok(Self(locality::Localities::new(parsed)?))
    }

    /// Where in the list the default store is.
    #[wasm_bindgen(getter, js_name = defaultStore)]
    pub fn default_store(&self) -> usize {
        self.0.default_store()
    }

    /// Where in the list the store is for a writer at these tiers, such as `region=eu,az=1`.
    pub fn fitting(&self, tiers: &str) -> JsResult<usize> {
        Ok(self.0.fitting(&Tier::parse_all(tiers)?))
    }

    /// Where in the list the store is that a user names.
    pub fn named(&self, text: &str) -> JsResult<usize> {
        Ok(self.0.named(text)?)
    }

    /// Key of the account of a backup that is in a store of the list.
    ///
    /// @param ids of its record, as the core's `recordIds` gives them
    #[wasm_bindgen(js_name = accountKey)]
    pub fn account_key(&self, ids: &str, store: usize) -> JsResult<String> {
        let locality = self.0.at(store).ok_or(ErrorKind::Usage)?;
        let parts: Vec<&str> = ids.split(' ').collect();
        let &[lineage, first, txid, kind] = &parts[..] else { return Err(ErrorKind::Usage.into()) };
        let account = Account::of([lineage, first, txid, kind], locality.clone()).ok_or(ErrorKind::Usage)?;
        Ok(account.key()?)
    }

    /// What is lost of a database's backups: of each part its locality, where in the list the store is that has most of it, whether
    /// a store of that locality is in the list, and the keys, joined by line feeds.
    ///
    /// @param accounts keys
    /// @param listings of each store the keys below `prefix`, the database's folder, in their order, joined by line feeds
    pub fn lost(&self, prefix: &str, layout: &str, accounts: Vec<String>, listings: Vec<String>) -> Vec<String> {
        let layout = if layout == "bucket" { Layout::Bucket } else { Layout::Folder };
        let accounts: Vec<Account> = accounts.iter().filter_map(|key| Account::parse(key)).collect();
        let stores: Vec<Vec<&str>> =
            listings.iter().map(|keys| keys.split('\n').filter_map(|key| key.strip_prefix(prefix)).collect()).collect();
        let lost = self.0.lost(&accounts, &stores, layout);
        let text =
            |Lost { locality, store, given, keys }: Lost| format!("{locality}\n{store}\n{given}\n{}", keys.join("\n"));
        lost.into_iter().map(text).collect()
    }
}
