//! The builder of databases: rows in, pages out.

use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::btree::Encoding;
use crate::build::{self, Column, Form, Object, Options};
use crate::error::ErrorKind;
use crate::page::PageSize;

/// See the core's `build::Builder`. Texts are UTF-8.
#[wasm_bindgen]
pub struct Builder {
    builder: build::Builder,
    /// Of the pages that were taken: first page, number of pages, first page, …
    runs: Vec<u32>,
}

/// See the core's `build::Previous`.
#[wasm_bindgen]
pub struct Previous(build::Previous);

#[wasm_bindgen]
impl Previous {
    /// Of a database with pages of that size.
    #[wasm_bindgen(constructor)]
    pub fn new(page_size: u32) -> JsResult<Previous> {
        Ok(Self(build::Previous::new(PageSize::new(page_size).ok_or(ErrorKind::Usage)?)))
    }

    /// Takes the next bytes of its file.
    pub fn feed(&mut self, bytes: &[u8]) -> JsResult<()> {
        Ok(self.0.feed(bytes)?)
    }
}

#[wasm_bindgen]
impl Builder {
    /// Of a database without objects.
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
        let form = if is_table { Form::Table } else { Form::Index };
        let columns = columns.iter().map(|&column| match column {
            0 => Ok(Column::Value),
            1 => Ok(Column::Real),
            2 => Ok(Column::Rowid),
            _ => Err(ErrorKind::Usage),
        });
        Ok(self.builder.begin(object, form, columns.collect::<Result<_, _>>()?)?)
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
