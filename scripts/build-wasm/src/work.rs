//! Has C code count what it does, for a host whose clock stands still while it computes.
//!
//! SQLite counts the instructions of its virtual machine, but one of them may be a call of `instr` over megabytes, or
//! of `strftime`. So every turn of a loop, and every call of a function, adds to a number that Rust reads by the import
//! `work.done`. A unit is about a nanosecond. Loops that a page or a record bounds are left alone: they are what most
//! time is spent in, and instructions count them well enough.

use walrus::ir::{self, BinaryOp, Const, GlobalGet, GlobalSet, Instr, InstrSeqId, Value, dfs_in_order};
use walrus::{ConstExpr, FunctionKind, GlobalId, LocalFunction, Module, ValType};

const IMPORT: (&str, &str) = ("work", "done");
/// What a call and a turn of a loop add. The number itself is read and written by each: that alone takes a nanosecond or two.
const CALL: i64 = 8;
const TURN: i64 = 2;

/// What takes much longer than the one instruction that calls it: opening a cursor, which walks along all that are open (as
/// closing it does), going from the root of a b-tree to a row, and comparing two rows that are sorted, of which each is
/// compared some twenty times. With what a call and, if it counts, a turn of a loop add.
const LONG: [(&str, i64, Option<i64>); 6] = [
    ("btreeCursor", 150, Some(10)),
    ("sqlite3BtreeIndexMoveto", 150, None),
    ("sqlite3BtreeTableMoveto", 150, None),
    ("vdbeSorterCompare", 60, None),
    ("vdbeSorterCompareInt", 60, None),
    ("vdbeSorterCompareText", 60, None),
];

/// Rust's own functions, by how their names are mangled.
const RUST: [&str; 3] = ["_ZN", "_R", "__"];
/// How the names of C functions begin that are not counted: pages, records, memory, the virtual machine itself.
const UNCOUNTED: [&str; 26] = [
    "sqlite3Btree",
    "sqlite3Pager",
    "sqlite3Pcache",
    "sqlite3VdbeExec",
    "sqlite3VdbeRecord",
    "sqlite3VdbeSerial",
    "sqlite3VdbeMem",
    "sqlite3VdbeCursor",
    "sqlite3VdbeHalt",
    "sqlite3VdbeReset",
    "sqlite3GetVarint",
    "sqlite3PutVarint",
    "sqlite3Malloc",
    "sqlite3Db",
    "sqlite3_step",
    "sqlite3_bind",
    "sqlite3_column",
    "sqlite3_reset",
    "vdbeRecord",
    "vdbeMem",
    "vdbeSorter",
    "btree",
    "pcache",
    "pager",
    "mem",
    "dl",
];

/// Counts, if the module asks for the count; whether it did.
///
/// # Errors
/// What walrus says, in words.
pub fn count(module: &mut Module) -> Result<bool, String> {
    let Some(asks) = module.imports.find(IMPORT.0, IMPORT.1) else { return Ok(false) };
    let walrus::ImportKind::Function(done) = module.imports.get(asks).kind else {
        return Err(format!("the import {}.{} is no function", IMPORT.0, IMPORT.1));
    };
    let zero = ConstExpr::Value(Value::I64(0));
    let total = module.globals.add_local(ValType::I64, true, false, zero);
    module
        .replace_imported_func(done, |(body, _)| {
            body.global_get(total);
        })
        .map_err(|error| format!("{error:#}"))?;
    let mut long = 0;
    for function in module.funcs.iter_mut() {
        let Some(name) = function.name.as_deref() else { continue };
        let known = LONG.iter().find(|(long, ..)| *long == name);
        let is_counted = is_counted(name);
        let FunctionKind::Local(local) = &mut function.kind else { continue };
        match known {
            Some(&(_, call, turn)) => {
                long += 1;
                count_function(local, total, call, turn);
            }
            None if is_counted => count_function(local, total, CALL, Some(TURN)),
            None => {}
        }
    }
    if long == LONG.len() { Ok(true) } else { Err(format!("of {LONG:?} only {long} are there")) }
}

fn is_counted(name: &str) -> bool {
    !RUST.iter().chain(&UNCOUNTED).any(|prefix| name.starts_with(prefix))
}

fn count_function(function: &mut LocalFunction, total: GlobalId, call: i64, turn: Option<i64>) {
    let entry = function.entry_block();
    let mut loops = Loops::default();
    dfs_in_order(&mut loops, function, entry);
    add(function, entry, total, call);
    for (body, turn) in loops.0.into_iter().zip(turn.into_iter().cycle()) {
        add(function, body, total, turn);
    }
}

/// Puts `total += units` in front of what is in `body`.
fn add(function: &mut LocalFunction, body: InstrSeqId, total: GlobalId, units: i64) {
    let instrs: [Instr; 4] = [
        GlobalGet { global: total }.into(),
        Const { value: Value::I64(units) }.into(),
        ir::Binop { op: BinaryOp::I64Add }.into(),
        GlobalSet { global: total }.into(),
    ];
    let mut body = function.builder_mut().instr_seq(body);
    for (at, instr) in instrs.into_iter().enumerate() {
        body.instr_at(at, instr);
    }
}

#[derive(Default)]
struct Loops(Vec<InstrSeqId>);

impl<'instr> ir::Visitor<'instr> for Loops {
    fn visit_loop(&mut self, instr: &ir::Loop) {
        self.0.push(instr.seq);
    }
}
