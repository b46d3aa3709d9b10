/** `subset.wasm`, gzipped, in base64: made by scripts/build.mjs. */
declare const text: string;
export default text;
