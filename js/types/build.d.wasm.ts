/** `build.wasm` imported as a module: a compiled module in workerd and in bundlers that follow it. */
declare const build: WebAssembly.Module;
export default build;
