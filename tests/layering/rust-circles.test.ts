import { describe, expect, test } from "vitest";
import { read } from "./files.ts";
import { rustCircles } from "./rust-circles.ts";

const circles = (files: Record<string, string>) => rustCircles(new Map(Object.entries(files)));

describe("files of Rust", () => {
  test.each(["src", "engine/src"])("no file in %s uses itself, through however many others", (folder) => {
    expect(rustCircles(read(folder, ".rs"))).toEqual([]);
  });

  test("a circle is found, however its files name one another", () => {
    const expected = [["a/b.rs", "a/c.rs"]];
    const struct = "pub struct B; pub struct C;";
    for (const use of [
      "use super::b::B;",
      "use crate::a::{b::{B as D}, d};",
      "fn f() { super::b::B }",
      "use super::b::*;",
    ]) {
      const files = {
        "a/mod.rs": "mod b; mod c;",
        "a/b.rs": `use crate::a::c::C; ${struct}`,
        "a/c.rs": `${use} ${struct}`,
      };
      expect(circles(files), use).toEqual(expected);
    }
  });

  test("a circle goes through a module and its children", () => {
    const files = { "a/mod.rs": "mod b; use self::b::B; struct A;", "a/b.rs": "use super::A; pub struct B;" };
    expect(circles(files)).toEqual([["a/b.rs", "a/mod.rs"]]);
    expect(circles({ ...files, "a/mod.rs": "mod b; struct A; fn f() { b::g() }" })).toHaveLength(1);
    expect(circles({ ...files, "a/mod.rs": "mod b; struct A;" })).toEqual([]);
  });

  test("a circle goes through three files, and a file that is used twice is none", () => {
    expect(
      circles({
        "a.rs": "use crate::b::B;",
        "b.rs": "use crate::c; struct B;",
        "c.rs": "fn f() { crate::a::g() }",
      }),
    ).toEqual([["a.rs", "b.rs", "c.rs"]]);
    expect(
      circles({ "a.rs": "use crate::{b::B, c};", "b.rs": "use crate::c::C;", "c.rs": "struct C;" }),
    ).toEqual([]);
  });

  test("a name that a module passes on is used where it is written", () => {
    const passing = "mod b; mod c; pub use b::B; pub(crate) use c::*;";
    const [b, c] = ["pub struct B;", "use super::B; pub struct C;"];
    expect(circles({ "a/mod.rs": passing, "a/b.rs": b, "a/c.rs": c })).toEqual([]);
    expect(circles({ "a/mod.rs": passing, "a/b.rs": `use super::C; ${b}`, "a/c.rs": c })).toEqual([
      ["a/b.rs", "a/c.rs"],
    ]);
  });

  test("comments, literals and tests use nothing", () => {
    const a =
      '// use crate::b::B;\nconst A: &str = "crate::b";\n#[cfg(test)]\nmod tests { use crate::b::B; }';
    expect(circles({ "a.rs": a, "b.rs": "use crate::a::A;" })).toEqual([]);
  });
});
