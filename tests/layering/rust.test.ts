import { describe, expect, test } from "vitest";
import { read } from "./files.ts";
import { ENGINE_LAYERS, rustViolations } from "./rust.ts";

const violations = (path: string, text: string) => rustViolations(new Map([[path, text]]));

describe("layers of the Rust core", () => {
  test("every module in src/ uses lower layers only", () => {
    expect(rustViolations(read("src", ".rs"))).toEqual([]);
  });

  test("every module in engine/src/ uses lower layers only, and what SQLite's own interface is stays in one", () => {
    // The crate's root gives its errors and its database to whoever uses it.
    const sources = read("engine/src", ".rs");
    const roots = /crate::\{?(Error|ErrorKind|Result|Database|Options)\b/g;
    const own = new Map([...sources].map(([path, text]) => [path, text.replaceAll(roots, "")]));
    expect(rustViolations(own, "engine/src", ENGINE_LAYERS)).toEqual([]);
    const foreign = [...sources].filter(([, text]) => /\b(sqlite_wasm_rs|libsqlite3_sys)::/.test(text));
    expect(foreign.map(([path]) => path)).toEqual(["sqlite/ffi.rs", "sqlite/host.rs"]);
  });

  test("a use of a higher layer is found, however it is written", () => {
    const expected = ["src/page/wal.rs: page (layer 2) uses ltx (layer 3)"];
    expect(violations("page/wal.rs", "use crate::ltx::Header;")).toEqual(expected);
    expect(violations("page/wal.rs", "pub(crate) use crate::{bytes::{Reader, words}, ltx};")).toEqual(
      expected,
    );
    expect(violations("page/wal.rs", "fn f() { crate::ltx::merge() }")).toEqual(expected);
    expect(violations("page/wal.rs", "use super::super::ltx;")).toEqual(expected);
    expect(violations("page/mod.rs", "use super::ltx::Header;")).toEqual([
      "src/page/mod.rs: page (layer 2) uses ltx (layer 3)",
    ]);
  });

  test("a use of another module of the same layer is found", () => {
    expect(violations("ltx/mod.rs", "use crate::btree::Cursor;")).toHaveLength(1);
  });

  test("lower layers and a module's own submodules are allowed", () => {
    expect(violations("ltx/mod.rs", "use crate::{error::Error, page::Pgno};")).toEqual([]);
    expect(violations("page/wal/gather.rs", "use crate::page::wal; use super::newest;")).toEqual([]);
  });

  test("comments, strings and test modules are not code", () => {
    const text = `
      // use crate::wasm;
      const A: &str = "crate::wasm";
      #[cfg(test)]
      use crate::wasm::A;
      #[cfg(test)]
      mod tests { use crate::wasm::B; fn f() { { } } }
    `;
    expect(violations("page/mod.rs", text)).toEqual([]);
    expect(violations("page/mod.rs", `${text} use crate::wasm::C;`)).toHaveLength(1);
  });

  test("a module that has no layer is found", () => {
    expect(violations("helpers.rs", "")).toHaveLength(1);
    expect(violations("page/mod.rs", "use crate::helpers;")).toHaveLength(1);
  });
});

test("wit-bindgen is used where the component is bound, and wasm-bindgen where JavaScript is", () => {
  const users = (name: RegExp) =>
    [...read("src", ".rs")].filter(([, text]) => name.test(text)).map(([path]) => path);
  expect(users(/\bwit_bindgen::/)).toEqual(["component/mod.rs"]);
  expect(users(/\b(wasm_bindgen|js_sys)::/).filter((path) => !path.startsWith("wasm/"))).toEqual([]);
});
