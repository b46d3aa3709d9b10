// JSON in which numbers are exact: 64-bit integers and infinities are written as they are.

/** V8 has both; TypeScript does not know them yet. */
const { rawJSON, parse: parseWithSource } = JSON as unknown as {
  rawJSON(text: string): unknown;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
};

/** As `JSON.parse`; an integer that no number is exact for is a BigInt. */
export function parse(text: string): unknown {
  return parseWithSource(text, (_, value, { source }) =>
    typeof value === "number" &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    /^-?\d+$/.test(source)
      ? BigInt(source)
      : value,
  );
}

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
