//! The builder of databases: rows in, pages out.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::btree::Encoding;
use crate::build::{self, Collation, Column, Form, Object, Options, Order, Term};
use crate::error::ErrorKind;
use crate::page::{PageSize, Pgno};

/// See the core's `build::Builder`. Texts are UTF-8.
#[wasm_bindgen]
pub struct Builder {
    builder: build::Builder,
    /// Runs of the pages that were taken: first page, number of pages, first page, …
    runs: Vec<u32>,
}

/// See the core's `build::Previous`.
#[wasm_bindgen]
pub struct Previous(build::Previous);

#[wasm_bindgen]
impl Previous {
    /// The pages of a database with pages of that size.
    #[wasm_bindgen(constructor)]
    pub fn new(page_size: u32) -> JsResult<Previous> {
        Ok(Self(build::Previous::new(PageSize::new(page_size).ok_or(ErrorKind::Usage)?)))
    }

    /// Takes the next bytes of its file.
    pub fn feed(&mut self, bytes: &[u8]) -> JsResult<()> {
        Ok(self.0.feed(bytes)?)
    }

    /// Numbers of the pages that are to be supplied once all bytes were fed, again and again until there are none.
    pub fn missing(&self) -> Vec<u32> {
        self.0.missing()
    }

    /// Takes one of those.
    pub fn supply(&mut self, pgno: u32, page: &[u8]) {
        self.0.supply(pgno, page);
    }
}

#[wasm_bindgen]
impl Builder {
    /// A builder of a database without objects.
    #[wasm_bindgen(constructor)]
    pub fn new(
        page_size: u32,
        change_counter: u32,
        schema_cookie: u32,
        user_version: u32,
        application_id: u32,
    ) -> JsResult<Builder> {
        let options = options(page_size, change_counter, schema_cookie, user_version, application_id)?;
        Ok(Self { builder: build::Builder::new(options), runs: Vec::new() })
    }

    /// The same, of one that keeps the pages of the one before, as far as rows are the same.
    pub fn after(
        previous: Previous,
        page_size: u32,
        change_counter: u32,
        schema_cookie: u32,
        user_version: u32,
        application_id: u32,
    ) -> JsResult<Builder> {
        let options = options(page_size, change_counter, schema_cookie, user_version, application_id)?;
        Ok(Self { builder: build::Builder::after(previous.0, options)?, runs: Vec::new() })
    }

    /// Adds a row to the schema table; gives the object's number.
    pub fn object(
        &mut self,
        kind: &str,
        name: &str,
        table: &str,
        sql: Option<String>,
        has_tree: bool,
    ) -> JsResult<usize> {
        let [kind, name, table] = [kind, name, table].map(|text| text.as_bytes().to_vec());
        Ok(self.builder.object(Object { kind, name, table, sql: sql.map(String::into_bytes), has_tree })?)
    }

    /// Begins the b-tree of an object: a table's, or an index's. `columns` has a byte for each: 0 any value, 1 REAL
    /// affinity, 2 the rowid.
    pub fn begin(&mut self, object: usize, is_table: bool, columns: &[u8]) -> JsResult<()> {
        Ok(self.builder.begin(object, form(is_table), columns_of(columns)?)?)
    }

    /// The same, as it was before; see the core's `build::Builder::begin_after`. Of what it is sorted by, and of the key of
    /// its rows, `terms` and `key` have three numbers for each column: its place, 0 for BINARY, 1 for NOCASE, 2 for RTRIM,
    /// and 1 where it descends.
    #[wasm_bindgen(js_name = beginAfter)]
    pub fn begin_after(
        &mut self,
        object: usize,
        is_table: bool,
        columns: &[u8],
        terms: &[u32],
        key: &[u32],
    ) -> JsResult<bool> {
        let order = Order { terms: terms_of(terms)?, key: terms_of(key)? };
        Ok(self.builder.begin_after(object, form(is_table), columns_of(columns)?, order)?)
    }

    /// Leaves the b-tree of an object as it was before; `false` where there was none.
    pub fn keep(&mut self, object: usize) -> JsResult<bool> {
        Ok(self.builder.keep(object)?)
    }

    /// Takes the keys of rows that changed.
    pub fn change(&mut self, batch: &[u8]) -> JsResult<()> {
        Ok(self.builder.change(batch)?)
    }

    /// First page, number of pages, first page, … of what is missing to go on with the b-tree that was before.
    pub fn missing(&mut self) -> JsResult<Vec<u32>> {
        let missing = self.builder.missing()?;
        Ok(missing.into_iter().flat_map(|range| [range.first.value(), range.count]).collect())
    }

    /// Takes pages of the database before, from `first` on.
    pub fn supply(&mut self, first: u32, bytes: Vec<u8>) -> JsResult<()> {
        Ok(self.builder.supply(Pgno::new(first).ok_or(ErrorKind::Usage)?, bytes)?)
    }

    /// Adds rows; see the core's `build::batch`.
    pub fn add(&mut self, batch: &[u8]) -> JsResult<()> {
        Ok(self.builder.add(batch)?)
    }

    /// Adds bytes of the values that the last row lacks.
    pub fn piece(&mut self, bytes: &[u8]) -> JsResult<()> {
        Ok(self.builder.piece(bytes)?)
    }

    /// Ends the b-tree.
    pub fn end(&mut self) -> JsResult<()> {
        Ok(self.builder.end()?)
    }

    /// Ends the database; gives its size in pages.
    pub fn finish(&mut self) -> JsResult<u32> {
        Ok(self.builder.finish()?)
    }

    /// What [`Builder::restore`] goes on from; not while there are pages to take.
    pub fn save(&self) -> JsResult<Vec<u8>> {
        Ok(self.builder.save()?)
    }

    /// Goes on from what was saved, behind the same objects.
    pub fn restore(&mut self, saved: &[u8]) -> JsResult<()> {
        Ok(self.builder.restore(saved)?)
    }

    /// The pages that were completed since the last call, one after the other; [`Builder::runs`] says which they are.
    pub fn take(&mut self) -> Vec<u8> {
        let (runs, pages) = self.builder.take();
        self.runs = runs.into_iter().flat_map(|run| [run.first.value(), run.count]).collect();
        pages
    }

    /// First page, number of pages, first page, … of the pages that were taken last.
    pub fn runs(&self) -> Vec<u32> {
        self.runs.clone()
    }
}

fn form(is_table: bool) -> Form {
    if is_table { Form::Table } else { Form::Index }
}

fn columns_of(columns: &[u8]) -> Result<Vec<Column>, ErrorKind> {
    let column = |&column: &u8| match column {
        0 => Ok(Column::Value),
        1 => Ok(Column::Real),
        2 => Ok(Column::Rowid),
        _ => Err(ErrorKind::Usage),
    };
    columns.iter().map(column).collect()
}

fn terms_of(numbers: &[u32]) -> Result<Vec<Term>, ErrorKind> {
    let term = |numbers: &[u32; 3]| {
        let &[place, collation, descends] = numbers;
        let collation = match collation {
            0 => Collation::Binary,
            1 => Collation::Nocase,
            2 => Collation::Rtrim,
            _ => return Err(ErrorKind::Usage),
        };
        Ok(Term { place: place as usize, collation, is_descending: descends == 1 })
    };
    numbers.as_chunks::<3>().0.iter().map(term).collect()
}

fn options(
    page_size: u32,
    change_counter: u32,
    schema_cookie: u32,
    user_version: u32,
    application_id: u32,
) -> JsResult<Options> {
    let page_size = PageSize::new(page_size).ok_or(ErrorKind::Usage)?;
    let encoding = Encoding::Utf8;
    Ok(Options { page_size, encoding, change_counter, schema_cookie, user_version, application_id })
}
