// JSON in which numbers are exact: 64-bit integers and infinities are written as they are.

/** V8 has it; TypeScript does not know it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** As `JSON.stringify`; bytes are an array of numbers, as D1 writes them. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === "bigint") return rawJSON(String(each));
    if (each === Number.POSITIVE_INFINITY) return rawJSON("1e999");
    if (each === Number.NEGATIVE_INFINITY) return rawJSON("-1e999");
    if (each instanceof Uint8Array) return Array.from(each);
    return each;
  });
}
