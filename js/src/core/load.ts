// Compiles one of the package's wasm files from whatever names or holds it. What can go wrong is the business of those who
// bundle, serve or configure: each failure says which of them has to do what.
import { PagemarkError } from "../errors/index.ts";
import type { Wasm, WasmName } from "./platform.ts";

/** The smallest module there is: it compiles wherever WebAssembly is allowed. */
const EMPTY = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
/** A function with an instruction on 128 bits, which every module of the package has. */
const SIMD = Uint8Array.from([
  ...EMPTY,
  ...[1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
]);
const ELSE = "or import 'pagemark/inline', which carries its wasm";

/**
 * Compiles a wasm.
 *
 * @throws PagemarkError `WASM_MISSING` where something else is in its place, `WASM_UNREACHABLE` when it cannot be fetched,
 *   `WASM_BLOCKED` where the page's policy forbids it, `WASM_UNSUPPORTED` by a runtime that is too old, `WASM_DAMAGED`
 *   when it is not whole
 */
export async function compile(name: WasmName, wasm: Wasm): Promise<WebAssembly.Module> {
  if (typeof WebAssembly === "undefined") throw unsupported("WebAssembly");
  if (wasm instanceof WebAssembly.Module) return wasm;
  const body = typeof wasm === "string" || wasm instanceof URL ? await fetched(name, wasm) : wasm;
  if (!isBody(body)) {
    if (isBytes(body)) return compileBytes(name, body, "");
    const message = `what was given as ${name}.wasm is none: give its URL, a Response or Blob, its bytes or a WebAssembly.Module`;
    throw new PagemarkError("WASM_MISSING", message, { name: `${name}.wasm` });
  }
  // A data: URL may be as long as the file.
  const from = "url" in body ? body.url.slice(0, 200) : "";
  if ("status" in body) {
    if (!body.ok) throw answered(name, from, body);
    const streamed = await compileStream(body);
    if (streamed) return streamed;
  }
  return compileBytes(name, await body.arrayBuffer(), from);
}

/** Unpacks a wasm that is carried as text: its bytes, as gzip makes them smaller, in base64. */
export async function unpacked(text: string): Promise<Response> {
  if (typeof DecompressionStream === "undefined") throw unsupported("DecompressionStream");
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream, { headers: { "content-type": "application/wasm" } });
}

/**
 * The error of a module that did not start with this glue.
 *
 * @param cause what its start threw, if it came so far
 */
export function mismatch(name: WasmName, cause?: unknown): PagemarkError {
  const message = `${name}.wasm is another one than this JavaScript was built with: copy the package's dist/${name}.wasm again whenever pagemark is updated, and give each file under its own name`;
  return new PagemarkError("WASM_MISMATCH", message, { name: `${name}.wasm` }, { cause });
}

/** A response, or what reads like one: a Blob, say, or the response of another realm. */
function isBody(wasm: Exclude<Wasm, string>): wasm is Response | Blob {
  return typeof wasm === "object" && "arrayBuffer" in wasm && typeof wasm.arrayBuffer === "function";
}

/** Said by its tag, which is the same in every realm. */
function isBytes(wasm: unknown): wasm is ArrayBufferView<ArrayBuffer> | ArrayBuffer {
  return ArrayBuffer.isView(wasm) || Object.prototype.toString.call(wasm) === "[object ArrayBuffer]";
}

async function fetched(name: WasmName, url: string | URL): Promise<Response> {
  try {
    return await fetch(url);
  } catch (cause) {
    const message = `${name}.wasm could not be fetched from ${url}: see that the address is right, that its server allows this origin, and that no Content-Security-Policy forbids it (connect-src), ${ELSE}`;
    throw new PagemarkError("WASM_UNREACHABLE", message, { name: String(url) }, { cause });
  }
}

function answered(name: WasmName, from: string, { status, statusText }: Response): PagemarkError {
  const isMissing = status === 404 || status === 410;
  const todo = isMissing ? `copy the package's dist/${name}.wasm there` : "see what its server says";
  const message =
    `${from || "the response"} has no ${name}.wasm, it answered ${status} ${statusText}`.trimEnd();
  const code = isMissing ? "WASM_MISSING" : "WASM_UNREACHABLE";
  return new PagemarkError(code, `${message}: ${todo}, ${ELSE}`, { name: from || `${name}.wasm` });
}

/** Compiles while the bytes arrive, which lets a browser keep the result; nothing when that fails or is not possible. */
async function compileStream(response: Response): Promise<WebAssembly.Module | undefined> {
  if (typeof WebAssembly.compileStreaming !== "function") return undefined;
  if (response.headers.get("content-type") !== "application/wasm") return undefined;
  const copy = response.clone();
  try {
    return await WebAssembly.compileStreaming(copy);
  } catch {
    return undefined; // the bytes themselves tell why
  }
}

async function compileBytes(
  name: WasmName,
  bytes: ArrayBufferView<ArrayBuffer> | ArrayBuffer,
  from: string,
): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    throw await diagnosed(name, view, from, cause);
  }
}

/** Why `bytes` did not compile. Texts of engines differ, so what they do with small modules is asked instead. */
async function diagnosed(
  name: WasmName,
  bytes: Uint8Array,
  from: string,
  cause: unknown,
): Promise<PagemarkError> {
  const place = { name: from || `${name}.wasm` };
  const error = (code: string, message: string) => new PagemarkError(code, message, place, { cause });
  if (!EMPTY.every((byte, at) => bytes[at] === byte)) {
    const start = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart();
    const what = start.startsWith("<") ? "a web page" : `something else (${bytes.length} bytes)`;
    return error(
      "WASM_MISSING",
      `${from || "what was given"} is ${what}, not ${name}.wasm: servers answer so for files that are not there; copy the package's dist/${name}.wasm to that address, ${ELSE}`,
    );
  }
  if (!(await compiles(EMPTY))) {
    return error(
      "WASM_BLOCKED",
      "this page or runtime forbids WebAssembly: add 'wasm-unsafe-eval' to script-src in the page's Content-Security-Policy; in a Worker import 'pagemark', whose wasm is compiled when it is deployed",
    );
  }
  if (!(await compiles(SIMD))) return unsupported("WebAssembly with SIMD", cause);
  return error(
    "WASM_DAMAGED",
    `${from || `${name}.wasm`} is damaged or cut short at ${bytes.length} bytes: copy the package's dist/${name}.wasm again`,
  );
}

async function compiles(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  return WebAssembly.compile(bytes).then(
    () => true,
    () => false,
  );
}

function unsupported(what: string, cause?: unknown): PagemarkError {
  const message = `this runtime has no ${what}: Chrome 91, Firefox 113, Safari 16.4 and later have all that Pagemark needs; Lockdown Mode on Apple's devices turns WebAssembly off`;
  return new PagemarkError("WASM_UNSUPPORTED", message, {}, { cause });
}
