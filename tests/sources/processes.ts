// Other processes, and what they leave behind.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const children = new Set<ChildProcessWithoutNullStreams>();

export interface Writer {
  /** Number of its last transaction, and how long its slowest took. */
  marker(): Promise<{ marker: number; longestMs: number }>;
  /** Runs SQL, and waits until it is done. */
  run(sql: string): Promise<void>;
  /** Transactions that did not go through. */
  readonly failures: string[];
  kill(): Promise<void>;
}

/** Starts `writer.child.ts`, and waits until it is ready or has ended. */
export async function startWriter(
  path: string,
  how: "write" | "sql" | "hold" | "crash",
  argument = "",
): Promise<Writer> {
  return startChild("writer.child.ts", [path, how, argument]);
}

export async function startChild(name: string, args: string[]): Promise<Writer> {
  const script = join(import.meta.dirname, name);
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, ...args]);
  children.add(child);
  const failures: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  const lines: string[] = [];
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  child.stderr.on("data", (text) => failures.push(String(text)));
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("failed")) failures.push(line);
    else if (waiting.length > 0) waiting.shift()?.(line);
    else lines.push(line);
  });
  const next = () =>
    new Promise<string>((resolve, reject) => {
      const line = lines.shift();
      if (line !== undefined) resolve(line);
      else waiting.push(resolve);
      void ended.then(() => reject(new Error(`${name} has ended: ${failures.join()}`)));
    });
  await Promise.race([next().catch(() => {}), ended]);
  return {
    failures,
    async marker() {
      child.stdin.write("marker?\n");
      const [, marker, longestMs] = (await next()).split(" ").map(Number);
      return { marker: marker ?? Number.NaN, longestMs: longestMs ?? Number.NaN };
    },
    async run(sql) {
      child.stdin.write(`${JSON.stringify(sql)}\n`);
      const answer = await next();
      if (answer !== "done") throw new Error(answer);
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
      children.delete(child);
    },
  };
}

/** Ends what a test that failed has left running. */
export async function killAll(): Promise<void> {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
}

/** Every file in a folder, and what is in it; but `-shm`, which is memory that happens to have a name. */
export function contents(folder: string): Record<string, string> {
  const hash = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map(({ name }) => name).sort();
  return Object.fromEntries(names.map((name) => [name, name.endsWith("-shm") ? "" : hash(name)]));
}
