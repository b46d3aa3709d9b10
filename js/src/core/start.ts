/** A wasm: its bytes, compiled, or where to fetch it. */
export type Wasm = BufferSource | WebAssembly.Module | Response | URL;

/** The glue that wasm-bindgen makes for each of them. */
interface Glue {
  default(input: { module_or_path: Wasm }): Promise<unknown>;
  initSync(input: { module: WebAssembly.Module }): unknown;
}

/** Starts `wasm`. One that is compiled already starts without a look at `Response`: Node would load its HTTP client. */
export async function start(glue: Glue, wasm: Wasm): Promise<void> {
  if (wasm instanceof WebAssembly.Module) glue.initSync({ module: wasm });
  else await glue.default({ module_or_path: wasm });
}
