// `npm run dev` as a user meets it: what it prints works when it is typed in, and it ends without leaving anything.
import { execFile, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { tempFolder } from "../support/temp.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 30_000 });
const root = join(import.meta.dirname, "../..");
const state = tempFolder();
const running = new Set<ReturnType<typeof dev>>();
afterEach(async () => {
  for (const each of running) await each.end("SIGTERM");
});

/** Starts scripts/dev.mjs, which is what `npm run dev` does after building. */
function dev(port: number, env: Record<string, string> = {}) {
  const child = spawn(
    process.execPath,
    [join(root, "scripts/dev.mjs"), "--port", String(port), "--state", state],
    { cwd: root, env: { PATH: process.env.PATH ?? "", ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      printed += text;
    });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const started = {
    ended,
    printed: () => printed,
    ready: () =>
      vi.waitFor(
        () => {
          expect(child.exitCode, printed).toBeNull();
          expect(printed).toContain("Ctrl-C");
        },
        { timeout: 60_000, interval: 100 },
      ),
    end(signal: NodeJS.Signals) {
      running.delete(started);
      child.kill(signal);
      return ended;
    },
  };
  running.add(started);
  return started;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What bash prints for the lines that were printed to try, without the exports of the terminal. */
async function typedIn(printed: string): Promise<string> {
  const lines = printed.split("\n").filter((line) => /^ {2}(export|npx|D1=|curl)/.test(line));
  expect(lines.length).toBeGreaterThan(6);
  const script = `set -e\nexport XDG_CONFIG_HOME=${state} WRANGLER_LOG_PATH=${state}/logs NO_COLOR=1\n${lines.join("\n")}`;
  const env = { PATH: process.env.PATH ?? "", HOME: state };
  const { stdout } = await promisify(execFile)("bash", ["-c", script], { cwd: root, env });
  return stdout;
}

/** Whether anybody answers at the address. */
const answers = (url: string) =>
  fetch(url).then(
    () => true,
    () => false,
  );

test("starts with a demo, whose lines to try work; ends clean, and has the same databases the next time", async () => {
  const port = await freePort();
  const first = dev(port);
  await first.ready();
  const token = /CLOUDFLARE_API_TOKEN=([0-9a-f]{32})$/m.exec(first.printed())?.[1];
  expect(token, "a random one, printed").toBeDefined();
  expect(first.printed()).toContain(`http://127.0.0.1:${port}/client/v4`);

  const output = await typedIn(first.printed());
  expect(output).toMatch(/│ demo +│ production/);
  expect(output).toContain('"reader"');
  expect(output).toMatch(/bookmark is '[0-9a-f]{8}-/);
  expect(output.match(/"state":"done"/g)?.length).toBeGreaterThanOrEqual(4);

  const beside = dev(await freePort());
  expect(await beside.ended, "the same databases a second time").toBe(1);
  expect(beside.printed()).toContain("it runs already");
  expect(await first.end("SIGINT")).toBe(0);
  expect(await answers(`http://127.0.0.1:${port}/healthz`)).toBe(false);

  const second = dev(port, {
    PAGEMARK_TOKEN: "mine",
    PAGEMARK_READ_TOKEN: "looking",
    PAGEMARK_ACCOUNT_ID: "acme",
  });
  await second.ready();
  expect(second.printed()).not.toContain(token);
  expect(second.printed()).toContain("CLOUDFLARE_ACCOUNT_ID=acme");
  const looking = await fetch(`http://127.0.0.1:${port}/client/v4/user/tokens/verify`, {
    headers: { authorization: "Bearer looking" },
  });
  expect(await looking.json()).toMatchObject({ result: { scope: "read" } });
  const demo = (printed: string) => /database\/([0-9a-f-]{36})/.exec(printed)?.[1];
  expect(demo(second.printed())).toBe(demo(first.printed()));
  expect(await second.end("SIGTERM")).toBe(0);
});

test("says what is wrong with a port or a setting, and which port is taken", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => void taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const refused = dev(port);
  expect(await refused.ended).toBe(1);
  expect(refused.printed()).toContain(`port ${port} is taken`);
  taken.close();
  const starved = dev(await freePort(), { PAGEMARK_QUERY_STEPS: "100", PAGEMARK_KEEP_HOURS: "2h" });
  expect(await starved.ended).toBe(2);
  expect(starved.printed()).toMatch(
    /PAGEMARK_KEEP_HOURS is "2h": give a number.*PAGEMARK_QUERY_STEPS is "100": .*at least 1000000/s,
  );
  const wrong = dev(Number.NaN);
  expect(await wrong.ended).toBe(2);
  expect(wrong.printed()).toContain("--port wants a number");
});
