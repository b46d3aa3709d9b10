// Places at which SQLite asks whether to go on (`sqlite3_progress_handler`) within one instruction: where the time that a
// function takes grows with the product of two lengths. See `Budget` in engine/src/sqlite/budget.rs.

/** A condition in C. */
const isOver = (context) => `sqlite3WorkIsOver(sqlite3_context_db_handle(${context}))`;
const interrupt = (context) => `sqlite3_result_error_code(${context}, SQLITE_INTERRUPT);`;

/** Edits of its source, as those in sqlite.mjs. To ask costs 100 instructions, so that short calls do not. */
export const INTERRUPTS = [
  {
    at: "/*\n** Check for interrupts and invoke progress callback.\n*/\n",
    before: `static int sqlite3WorkIsOver(sqlite3 *db){
  return AtomicLoad(&db->u1.isInterrupted) || (db->xProgress && db->xProgress(db->pProgressArg));
}
static int stopsCompiling(Parse *pParse){
  if( !sqlite3WorkIsOver(pParse->db) ) return 0;
  pParse->nErr++;
  pParse->rc = SQLITE_INTERRUPT;
  return 1;
}\n\n`,
  },
  // Compiling: a statement may have many others in it, and of window functions each is looked for among all others, in
  // statements in each other.
  {
    at: "  v = sqlite3GetVdbe(pParse);\n  if( p==0 || pParse->nErr ){\n    return 1;\n  }\n  assert( db->mallocFailed==0 );\n  if( sqlite3AuthCheck(pParse, SQLITE_SELECT, 0, 0, 0) ) return 1;\n",
    before: "  if( stopsCompiling(pParse) ) return 1;\n",
  },
  {
    at: "      int iCol = -1;\n      if( pParse->db->mallocFailed ) return WRC_Abort;\n",
    add: "      if( stopsCompiling(pParse) ) return WRC_Abort;\n",
  },
  // printf ends with the argument that makes the result too long.
  {
    at: "  for(; (c=(*fmt))!=0; ++fmt){\n    if( c!='%' ){\n",
    instead: "  for(; (c=(*fmt))!=0 && !pAccum->accError; ++fmt){\n    if( c!='%' ){\n",
  },
  // LIKE and GLOB try the rest of the pattern at each place of the text: asked once in 1,000 bytes of patterns.
  {
    at: "static int patternCompare(\n",
    before: "static struct { sqlite3 *db; u32 nPat, nTried; u8 isOver; } like;\n",
  },
  {
    at: "  const u8 *zEscaped = 0;          /* One past the last escaped input char */\n",
    add: `
  if( like.db ){
    if( (like.nTried += like.nPat)>=1000 ){
      like.nTried = 0;
      like.isOver |= sqlite3WorkIsOver(like.db);
    }
    if( like.isOver ) return SQLITE_NOWILDCARDMATCH;
  }\n`,
  },
  {
    at: "    sqlite3_result_int(context,\n                      patternCompare(zB, zA, pInfo, escape)==SQLITE_MATCH);\n",
    instead: `    int matches;
    like.db = db;
    like.nPat = (u32)nPat;
    like.isOver = 0;
    matches = patternCompare(zB, zA, pInfo, escape)==SQLITE_MATCH;
    like.db = 0;
    if( like.isOver ) ${interrupt("context")}
    else sqlite3_result_int(context, matches);\n`,
  },
  // unhex looks for each character of one text in another.
  {
    at: "        if( !strContainsChar(zPass, nPass, ch) ) goto unhex_null;\n",
    before: `        if( nPass>1000 && ${isOver("pCtx")} ){
          ${interrupt("pCtx")}
          goto unhex_null;
        }\n`,
  },
  // Functions of JSON look for each path in the whole, json_patch for each label.
  {
    at: "    const char *zPath = (const char*)sqlite3_value_text(argv[i]);\n    int nPath;\n    u32 j;\n",
    add: `    if( (i & 15)==0 && ${isOver("ctx")} ){
      ${interrupt("ctx")}
      goto json_extract_error;
    }\n`,
  },
  {
    at: "    zPath = (const char*)sqlite3_value_text(argv[i]);\n    if( zPath==0 ){\n      goto json_remove_done;\n",
    before: `    if( (i & 15)==0 && ${isOver("ctx")} ){
      ${interrupt("ctx")}
      goto json_remove_done;
    }\n`,
  },
  {
    at: "    if( sqlite3_value_type(argv[i])==SQLITE_NULL ) continue;\n    zPath = (const char*)sqlite3_value_text(argv[i]);\n",
    before: `    if( (i & 31)==31 && ${isOver("ctx")} ){
      ${interrupt("ctx")}
      jsonParseFree(p);
      return;
    }\n`,
  },
  {
    at: "#define JSON_MERGE_TOODEEP     4     /* Nested too deep */\n",
    add: "#define JSON_MERGE_INTERRUPT   5\n",
  },
  {
    at: "  u32 iTCursor;     /* Cursor position while scanning the target object */\n",
    before: "  u32 nLabel = 0;\n",
  },
  {
    at: "  while( iPCursor<iPEnd ){  /* Algorithm line 07 */\n",
    add: "    if( (++nLabel & 63)==0 && sqlite3WorkIsOver(pTarget->db) ) return JSON_MERGE_INTERRUPT;\n",
  },
  {
    at: "    }else if( rc==JSON_MERGE_TOODEEP ){\n",
    before: `    }else if( rc==JSON_MERGE_INTERRUPT ){
      ${interrupt("ctx")}\n`,
  },
  // Each term of a full-text query copies the list of those before it.
  {
    at: "  if( pParse->rc==SQLITE_OK ){\n    int nChild = 0;               /* Number of children of returned node */\n",
    before: `  if( pParse->rc==SQLITE_OK && sqlite3WorkIsOver(pParse->pConfig->db) ){
    pParse->rc = SQLITE_INTERRUPT;
  }\n`,
  },
];
