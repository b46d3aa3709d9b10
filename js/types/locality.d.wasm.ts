/** `locality.wasm` imported as a module: a compiled module in workerd and in bundlers that follow it. */
declare const locality: WebAssembly.Module;
export default locality;
