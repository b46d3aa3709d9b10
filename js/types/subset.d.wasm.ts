/** `subset.wasm` imported as a module: a compiled module in workerd and in bundlers that follow it. */
declare const subset: WebAssembly.Module;
export default subset;
