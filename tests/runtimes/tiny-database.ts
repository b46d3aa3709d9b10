/** A whole database, small enough to be written down: 512-byte pages, `CREATE TABLE note(text)` and the row "kept". */
export function tinyDatabase(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(1024);
  for (const [offset, hex] of RUNS) {
    for (let at = 0; at < hex.length; at += 2)
      bytes[offset + at / 2] = Number.parseInt(hex.slice(at, at + 2), 16);
  }
  return bytes;
}

/** Its bytes other than zero: offset, hex. */
const RUNS: readonly (readonly [number, string])[] = [
  [
    0,
    "53514c69746520666f726d61742033000200010100402020000000020000000200000000000000000000000100000004000000000000000000000001",
  ],
  [95, "02002e63010d0000000101d30001d3"],
  [
    467,
    "2b0106171515013b7461626c656e6f74656e6f746502435245415445205441424c45206e6f74652874657874290d0000000101f80001f8",
  ],
  [1016, "060102156b657074"],
];

/** Its last statements as SQL. */
export const TINY_SQL = `CREATE TABLE note(text);
INSERT INTO "note"("rowid","text") VALUES
(1,'kept');
COMMIT;
`;
