// Runs the Pagemark Worker and worker-example on this machine, with a database `demo` in it, until it is interrupted.
// What is in them stays below .wrangler/, for the next time. Bundles what scripts/build.mjs built.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { faultsOf } from "../js/dist/worker/settings.js";
import { root } from "./lib/run.mjs";
import { startWorkers } from "./lib/workers.mjs";

/** Where the Worker takes one account only, this is it. */
const ACCOUNT = process.env.PAGEMARK_ACCOUNT_ID || "dev";
const DEMO = "demo";

const { port, state } = wanted();
const faults = faultsOf(settings());
if (faults.length > 0) fail(faults.join("\ndev: "), 2);
if (!(await isFree(port))) {
  fail(
    `port ${port} is taken: something else answers there. Another one:  npm run dev -- --port ${port + 100}`,
  );
}
takeState();
const token = process.env.PAGEMARK_TOKEN || randomBytes(16).toString("hex");
const workers = await startWorkers({
  state,
  bindings: { ...settings(), PAGEMARK_TOKEN: token },
  port,
  // Not a free one that is another at every start, where that can be had.
  examplePort: (await isFree(port + 1)) ? port + 1 : 0,
  verbose: true,
}).catch((error) => fail(error.message));
endOnSignals();
const uuid = await demoDatabase().catch(async (error) => {
  await workers.stop();
  fail(`the database ${DEMO} could not be made: ${error.message}`);
});
console.log(welcome());

/** What the command line says. */
function wanted() {
  const usual = join(root, ".wrangler/state");
  try {
    const { values } = parseArgs({
      options: { port: { type: "string", default: "8787" }, state: { type: "string", default: usual } },
    });
    const port = Number(values.port);
    if (Number.isInteger(port) && port > 0 && port < 65_535) return { port, state: values.state };
    fail(`--port wants a number from 1 to 65534, and got ${values.port}`, 2);
  } catch (error) {
    fail(`${error.message}\nusage: npm run dev [-- --port N] [--state FOLDER]`, 2);
  }
}

/** The Worker's settings that the environment has; js/src/worker/settings.ts lists them. */
function settings() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("PAGEMARK_")));
}

/** Whether nobody listens at a port of loopback. */
function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Refuses a folder that another one of these has open: two workerds would write the same files. */
function takeState() {
  const mark = join(state, "dev.pid");
  const pid = existsSync(mark) ? Number(readFileSync(mark, "utf8")) : 0;
  if (pid > 0 && isAlive(pid)) fail(`it runs already, as process ${pid}, with the same databases`);
  mkdirSync(state, { recursive: true });
  writeFileSync(mark, String(process.pid));
  process.on("exit", () => rmSync(mark, { force: true }));
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The id of the database `demo`, which is made when it is not there. */
async function demoDatabase() {
  const [demo] = (await call("GET", `?name=${DEMO}`)).filter(({ name }) => name === DEMO);
  // One without tables is left of a start that was interrupted, or a binding made it.
  if (demo?.num_tables > 0) return demo.uuid;
  const { uuid } = demo ?? (await call("POST", "", { name: DEMO }));
  await call("POST", `/${uuid}/query`, { sql: readFileSync(join(root, "scripts/lib/demo.sql"), "utf8") });
  await call("POST", `/${uuid}/backup`);
  await call("POST", `/${uuid}/query`, {
    sql: "UPDATE loans SET returned = datetime('now') WHERE returned IS NULL AND reader < 'reader 2'",
  });
  await call("POST", `/${uuid}/backup`);
  return uuid;
}

/** Asks the D1 API. */
async function call(method, path, body) {
  const answer = await fetch(`${workers.url}/client/v4/accounts/${ACCOUNT}/d1/database${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const { success, errors, result } = await answer.json();
  if (!success) throw new Error(errors.map(({ message }) => message).join("; "));
  return result;
}

function welcome() {
  const isOwn = Boolean(process.env.PAGEMARK_TOKEN);
  // One of the user's own is not shown: the terminal may be.
  const shown = isOwn ? '"$PAGEMARK_TOKEN"' : token;
  const origin = isOwn
    ? "that of the variable PAGEMARK_TOKEN"
    : `${token}   (of this start; the variable PAGEMARK_TOKEN gives your own)`;
  return `
Pagemark        ${workers.url}   (a page for the browser; the D1 API is under ${workers.url}/client/v4)
worker-example  ${workers.exampleUrl}   (binds Pagemark, and the database ${DEMO})
Token           ${origin}

In another shell, here${isOwn ? ", with PAGEMARK_TOKEN in it, too" : ""}:

  export CLOUDFLARE_API_BASE_URL=${workers.url}/client/v4 CLOUDFLARE_API_TOKEN=${shown}
  export CLOUDFLARE_ACCOUNT_ID=${ACCOUNT} WRANGLER_SEND_METRICS=false
  npx wrangler d1 list
  npx wrangler d1 execute ${DEMO} --remote --command "SELECT * FROM borrowed"
  npx wrangler d1 time-travel info ${DEMO}

  D1=$CLOUDFLARE_API_BASE_URL/accounts/$CLOUDFLARE_ACCOUNT_ID/d1/database/${uuid}
  curl -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" -X POST $D1/backup
  curl -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" $D1/backup
  curl -X POST ${workers.exampleUrl}/backup     # env.DB.backup() of another Worker

Ctrl-C ends it; databases and backups stay in ${relative(process.cwd(), state) || state}.`;
}

/** Ends both Workers with this process, whoever ends it. */
function endOnSignals() {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // Miniflare's own would end this process at once, and as one that failed.
    process.removeAllListeners(signal);
    process.once(signal, async () => {
      await workers.stop().catch(() => {});
      process.exit(0);
    });
  }
}

function fail(message, status = 1) {
  console.error(`dev: ${message}`);
  process.exit(status);
}
