/** `core.wasm` imported as a module: a compiled module in workerd and in bundlers that follow it. */
declare const core: WebAssembly.Module;
export default core;
