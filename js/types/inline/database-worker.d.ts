/** What `entry/database-worker.js` is, in one piece and without the wasm: made by scripts/lib/page-workers.mjs. */
declare const text: string;
export default text;
