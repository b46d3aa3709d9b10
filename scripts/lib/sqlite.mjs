// SQLite's source with two counters more: how many rows of tables and indexes a statement looked at, and how many it
// wrote, as D1 counts them. SQLite itself counts only some of the steps. See `rows_read` in engine/src/sqlite/statement.rs.
// And with the places of sqlite-interrupts.mjs, at which it can be interrupted.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./run.mjs";
import { INTERRUPTS } from "./sqlite-interrupts.mjs";

const READ = "p->aCounter[9]";
const WRITTEN = "p->aCounter[10]";

/**
 * Where the counting goes, in the order of the source: the text after which it stands, or before which with `before`.
 * Each text is there once: another version of SQLite that has it otherwise ends the build.
 */
const EDITS = [
  { at: "  u32 aCounter[9];", instead: "  u32 aCounter[11];" },
  // OP_Count looks at every row.
  { at: "    rc = sqlite3BtreeCount(db, pCrsr, &nEntry);\n", add: `    ${READ} += (u32)nEntry;\n` },
  // OP_SeekGE and its like.
  {
    at: "#ifdef SQLITE_TEST\n  sqlite3_search_count++;\n#endif\n  if( oc>=OP_SeekGE ){",
    before: `  ${READ}++;\n`,
  },
  // OP_NotExists and OP_SeekRowid.
  {
    at: "  pC->seekResult = res;\n  if( res!=0 ){\n    assert( rc==SQLITE_OK );\n    if( pOp->p2==0 ){",
    before: `  ${READ}++;\n`,
  },
  // OP_Insert, not into a table of the statement's own.
  {
    at: "  if( pOp->p5 & OPFLAG_NCHANGE ){\n    p->nChange++;\n    if( pOp->p5 & OPFLAG_LASTROWID )",
    before: `  if( !pC->isEphemeral ) ${WRITTEN}++;\n`,
  },
  // OP_Delete of a row that counts as a change; entries of indexes go with it.
  {
    at: "    p->nChange++;\n    if( db->xUpdateCallback && ALWAYS(pTab!=0) && HasRowid(pTab) ){",
    before: `    if( !pC->isEphemeral ) ${WRITTEN}++;\n`,
  },
  // OP_Last
  { at: "  rc = sqlite3BtreeLast(pCrsr, &res);\n  pC->nullRow = (u8)res;\n", before: `  ${READ}++;\n` },
  // OP_Rewind
  {
    at: "  if( rc ) goto abort_due_to_error;\n  pC->nullRow = (u8)res;\n  if( pOp->p2>0 ){\n    VdbeBranchTaken(res!=0,2);\n    if( res ) goto jump_to_p2;\n  }\n  break;\n}\n\n/* Opcode: IfEmpty",
    before: `  ${READ}++;\n`,
  },
  // OP_Next, OP_Prev and OP_SorterNext
  { at: "    p->aCounter[pOp->p5]++;\n", add: `    ${READ}++;\n` },
  // OP_IdxInsert
  {
    at: "  if( pOp->p5 & OPFLAG_NCHANGE ) p->nChange++;\n",
    add: `  if( !pC->isEphemeral ) ${WRITTEN}++;\n`,
  },
  // OP_Clear: DELETE without WHERE.
  { at: "  if( pOp->p3 ){\n    p->nChange += nChange;\n", add: `    ${WRITTEN} += (u32)nChange;\n` },
  // OP_VNext and OP_VUpdate, of virtual tables.
  { at: "  rc = pModule->xNext(pCur->uc.pVCur);\n", add: `  ${READ}++;\n` },
  {
    at: "        p->errorAction = ((pOp->p5==OE_Replace) ? OE_Abort : pOp->p5);\n      }\n    }else{\n",
    add: `      ${WRITTEN}++;\n`,
  },
];

/** Writes the source with its counters, unless it is there; the folder, for SQLITE_WASM_RS_SOURCE_DIR. */
export function countingSqlite() {
  const source = join(crateFolder("sqlite-wasm-rs"), "sqlite3");
  const folder = join(root, "target/sqlite");
  const text = edited(readFileSync(join(source, "sqlite3.c"), "utf8"));
  const file = join(folder, "sqlite3.c");
  // Written again, it would be compiled again.
  if (existsSync(file) && readFileSync(file, "utf8") === text) return folder;
  mkdirSync(folder, { recursive: true });
  for (const header of ["sqlite3.h", "sqlite3ext.h"])
    copyFileSync(join(source, header), join(folder, header));
  writeFileSync(file, text);
  return folder;
}

function edited(source) {
  let text = source;
  for (const { at, instead, before = "", add = "" } of [...EDITS, ...INTERRUPTS]) {
    if (text.split(at).length !== 2) {
      throw new Error(`scripts/lib/sqlite.mjs: SQLite's source does not have this once:\n${at}`);
    }
    text = text.replace(at, () => instead ?? `${before}${at}${add}`);
  }
  return text;
}

function crateFolder(name) {
  const args = ["metadata", "--format-version", "1", "--filter-platform", "wasm32-unknown-unknown"];
  const metadata = JSON.parse(execFileSync("cargo", args, { cwd: root, maxBuffer: 64 << 20 }).toString());
  return dirname(metadata.packages.find((each) => each.name === name).manifest_path);
}
