//! Has C code count what it does, for a host whose clock stands still while it computes.
//!
//! SQLite counts the instructions of its virtual machine, but one of them may be a call of `instr` over megabytes, or
//! of `strftime`. So every turn of a loop, and every call of a function, adds to a number that Rust reads by the import
//! `work.done`. A unit is about a nanosecond. Loops that a page or a record bounds are left alone: they are what most
//! time is spent in, and instructions count them well enough.

use walrus::ir::{self, BinaryOp, Const, GlobalGet, GlobalSet, Instr, InstrSeqId, Value, dfs_in_order};
use walrus::{ConstExpr, FunctionKind, GlobalId, LocalFunction, Module, ValType};

const IMPORT: (&str, &str) = ("work", "done");
/// What a call and a turn of a loop add.
const CALL: i64 = 8;
const TURN: i64 = 1;

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
    for function in module.funcs.iter_mut() {
        if !function.name.as_deref().is_some_and(is_counted) {
            continue;
        }
        if let FunctionKind::Local(local) = &mut function.kind {
            count_function(local, total);
        }
    }
    Ok(true)
}

fn is_counted(name: &str) -> bool {
    !RUST.iter().chain(&UNCOUNTED).any(|prefix| name.starts_with(prefix))
}

fn count_function(function: &mut LocalFunction, total: GlobalId) {
    let entry = function.entry_block();
    let mut loops = Loops::default();
    dfs_in_order(&mut loops, function, entry);
    add(function, entry, total, CALL);
    for body in loops.0 {
        add(function, body, total, TURN);
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
