/** `dump.wasm` imported as a module: a compiled module in workerd and in bundlers that follow it. */
declare const dump: WebAssembly.Module;
export default dump;
