/** `engine.wasm` imported as a module: a compiled module in workerd and in bundlers that follow it. */
declare const engine: WebAssembly.Module;
export default engine;
