// The built command line, run as a user runs it.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";

export const main = join(import.meta.dirname, "../../js/dist/bin/pagemark.js");

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** What `--json` gives of a backup. */
export interface BackupJson {
  created_at: string;
  id: string;
  num_tables: number;
  size: number;
  state: string;
  kind: string;
  bookmark: string;
  txid: string;
  stored_size: number;
  changed_pages: number;
  taken: string;
  full_because?: string;
}

/** `pagemark`, with `folder` as its working directory. */
export class CommandLine {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  run(...args: string[]): Ran {
    return this.runWith({}, ...args);
  }

  /** With these variables besides. */
  runWith(env: NodeJS.ProcessEnv, ...args: string[]): Ran {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
      cwd: this.folder,
      encoding: "utf8",
      env: { ...process.env, ...env },
      // By default it is 1 MiB, and what is more is cut off somewhere.
      maxBuffer: Number.POSITIVE_INFINITY,
    });
    return { status, stdout, stderr };
  }

  /** As `runWith`, while this process goes on: it may be what the command asks. */
  async runBeside(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ran> {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    return { status, stdout, stderr };
  }

  /** The value that a command prints, which must end well. */
  json<T>(...args: string[]): T {
    const { status, stdout, stderr } = this.run("--json", ...args);
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  }

  /** Exit code and error code of a command that must fail. */
  failure(...args: string[]): [status: number | null, code: string] {
    const { status, stderr } = this.run("--json", ...args);
    return [status, JSON.parse(stderr).error.code];
  }

  /** Starts a command, and interrupts it as Ctrl-C does once `when` holds, which is given what was printed. */
  interrupt(when: (stdout: string) => boolean, ...args: string[]): Promise<Ran> {
    return this.interruptWith({}, when, ...args);
  }

  /** With these variables besides. */
  async interruptWith(
    env: NodeJS.ProcessEnv,
    when: (stdout: string) => boolean,
    ...args: string[]
  ): Promise<Ran> {
    const options = { cwd: this.folder, env: { ...process.env, ...env } };
    const child = spawn(process.execPath, [main, ...args], options);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => (stdout += text));
    child.stderr.on("data", (text) => (stderr += text));
    const timer = setInterval(() => {
      if (!when(stdout)) return;
      clearInterval(timer);
      child.kill("SIGINT");
    }, 5);
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    clearInterval(timer);
    return { status, stdout, stderr };
  }
}
