// The Pagemark Worker and the Worker that binds it, on local workerd: what wrangler would deploy, run as wrangler runs
// it, but in this process, so that it ends with it, and without a look at any network.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { root } from "./run.mjs";

const require = createRequire(import.meta.url);
const wranglerFolder = dirname(require.resolve("wrangler/package.json"));
/** The wrangler of this repository, to be run with Node. */
export const wranglerMain = join(wranglerFolder, "bin/wrangler.js");
const { unstable_getMiniflareWorkerOptions: optionsOf } = require("wrangler");
// The one that wrangler brings: beside it another version may stand.
const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = createRequire(
  join(wranglerFolder, "package.json"),
)("miniflare");

/** Bundles of older builds are deleted after so long. */
const OLD_MS = 24 * 3_600_000;

/** What keeps wrangler from asking anybody, or from telling anything. */
export const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  NO_COLOR: "1",
};

/**
 * Starts both Workers on loopback.
 *
 * `state` is the folder where databases and backups are kept, `bindings` the settings of the Pagemark Worker, `port` and
 * `examplePort` where the two answer; 0 takes any free port. `callers` are other Workers that bind it, as miniflare
 * describes Workers. The answer has all addresses, those of the callers by their names, and `stop()`; `directUrl` is that of
 * the Pagemark Worker without miniflare's own before it.
 */
export async function startWorkers({
  state,
  bindings,
  port = 0,
  examplePort = 0,
  callers = [],
  verbose = false,
}) {
  const [pagemark, example] = await Promise.all([bundled(root), bundled(join(root, "worker-example"))]);
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port,
      cf: false,
      telemetry: { enabled: false },
      log: new Log(verbose ? LogLevel.WARN : LogLevel.NONE),
      // Where `wrangler dev` would keep them, so that it finds the same ones.
      resourcePersistencePath: join(state, "v3"),
      workers: [
        {
          ...pagemark,
          bindings: { ...pagemark.bindings, ...bindings },
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
        },
        { ...example, unsafeDirectSockets: [{ host: "127.0.0.1", port: examplePort }] },
        ...callers.map((caller) => ({ ...caller, unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] })),
      ],
    }),
  );
  try {
    const url = (await miniflare.ready).origin;
    const directUrl = (await miniflare.unsafeGetDirectURL(pagemark.name)).origin;
    const exampleUrl = (await miniflare.unsafeGetDirectURL(example.name)).origin;
    const callerUrls = {};
    for (const { name } of callers) callerUrls[name] = (await miniflare.unsafeGetDirectURL(name)).origin;
    return { url, directUrl, exampleUrl, callerUrls, stop: () => miniflare.dispose() };
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    throw error;
  }
}

/** Starts the Worker of an example by itself, with nothing in its bindings: a Miniflare, to be disposed of. */
export async function startExample(folder) {
  const worker = await bundled(folder);
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      cf: false,
      telemetry: { enabled: false },
      log: new Log(LogLevel.NONE),
      workers: [worker],
    }),
  );
  await miniflare.ready;
  return miniflare;
}

/** What miniflare needs of the Worker in `folder`: its options, and the modules that wrangler would deploy. */
async function bundled(folder) {
  const config = join(folder, "wrangler.toml");
  const { workerOptions } = optionsOf(config);
  const out = join(root, "target/workers", hashOf(config, folder));
  if (!existsSync(out)) await bundle(folder, out);
  const [name] = /(?<=^name = ").+(?=")/m.exec(readFileSync(config, "utf8"));
  const modules = readdirSync(out)
    .filter((file) => /\.(js|wasm|html|txt)$/.test(file))
    .map((file) => ({ type: typeOf(file), path: join(out, file) }))
    // The first one is the Worker itself.
    .sort((a, b) => Number(b.type === "ESModule") - Number(a.type === "ESModule"));
  return { ...workerOptions, name, modules, modulesRoot: out };
}

async function bundle(folder, out) {
  mkdirSync(dirname(out), { recursive: true });
  const making = mkdtempSync(`${out}.`);
  const env = { ...process.env, ...QUIET, WRANGLER_LOG_PATH: join(making, "logs") };
  const args = [wranglerMain, "deploy", "--dry-run", "--outdir", join(making, "out")];
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  const status = await new Promise((resolve) => child.on("close", resolve));
  if (status !== 0) throw new Error(`the Worker in ${folder} could not be bundled:\n${said}`);
  try {
    renameSync(join(making, "out"), out);
  } catch (error) {
    // Another process was faster, with the same.
    if (!existsSync(out)) throw error;
  }
  rmSync(making, { recursive: true, force: true });
  for (const name of readdirSync(dirname(out))) {
    const other = join(dirname(out), name);
    if (Date.now() - statSync(other).mtimeMs > OLD_MS) rmSync(other, { recursive: true, force: true });
  }
}

/** Of all that goes into a bundle. */
function hashOf(config, folder) {
  const hash = createHash("sha256").update(folder).update(readFileSync(config));
  hash.update(readFileSync(join(root, "package-lock.json")));
  for (const from of [join(root, "js/dist"), join(root, "worker-example/src"), join(folder, "src")].filter(
    existsSync,
  )) {
    for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(js|ts|wasm|html|txt)$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      hash.update(`\n${path}\n`).update(readFileSync(path));
    }
  }
  return hash.digest("hex").slice(0, 32);
}

function typeOf(file) {
  if (file.endsWith(".wasm")) return "CompiledWasm";
  return file.endsWith(".js") ? "ESModule" : "Text";
}
