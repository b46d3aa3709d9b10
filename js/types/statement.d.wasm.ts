/** `statement.wasm` imported as a module: a compiled module in workerd and in bundlers that follow it. */
declare const statement: WebAssembly.Module;
export default statement;
