import type { ChildProcessByStdio } from "node:child_process";
import { basename } from "node:path";
import type { Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { OpenDatabase, Reader } from "./database.ts";
import { whenFree } from "./sqlite.ts";

/** SQLite's code for a database that it cannot open (https://www.sqlite.org/rescode.html). */
const CANTOPEN = 14;

/** The program of the other process. It answers each line by a line, and ends when its input does: when this process ends. */
const PROGRAM = `
const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
const { createInterface } = process.getBuiltinModule("node:readline");
let connection;
const commands = {
  begin() {
    connection ??= new DatabaseSync(process.argv.at(-1), { readOnly: true });
    connection.exec("BEGIN");
    connection.prepare("PRAGMA user_version").get();
  },
  end() {
    connection.exec("ROLLBACK");
  },
};
createInterface({ input: process.stdin }).on("line", (command) => {
  let answer = {};
  try {
    commands[command]();
  } catch ({ message, errcode }) {
    answer = { message, errcode };
    if (command === "begin") try { commands.end(); } catch {}
  }
  process.stdout.write(JSON.stringify(answer) + "\\n");
});`;

/** Empty when there was no error. */
interface Answer {
  message?: string;
  errcode?: number;
}

/** A connection in a process of its own. */
export class ReaderProcess implements Reader {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  readonly #ended: Promise<void>;
  #closed: Promise<boolean> | undefined;
  readonly #waiting: ((answer: string | undefined) => void)[] = [];

  /** Starts the process; `undefined` where none can be started. */
  static async start({ path, busyTimeoutMs }: OpenDatabase): Promise<ReaderProcess | undefined> {
    const args = argumentsOf(path);
    if (!args) return undefined;
    // Loaded here: most runs start no process, and these modules take a tenth of the start of a command.
    const [{ spawn }, { createInterface }] = await Promise.all([
      import("node:child_process"),
      import("node:readline"),
    ]);
    // In Electron, the executable is an application unless told to be Node.
    const env = { ...process.env, ELECTRON_RUN_AS_NODE: "1" };
    const child = spawn(process.execPath, args, {
      env,
      stdio: ["pipe", "pipe", "ignore"],
      windowsHide: true,
    });
    const started = await new Promise((resolve) => {
      child.once("spawn", () => resolve(true));
      child.once("error", () => resolve(false));
    });
    if (!started) return undefined;
    return new ReaderProcess(child, createInterface({ input: child.stdout }), path, busyTimeoutMs);
  }

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, null>,
    answers: Interface,
    path: string,
    busyTimeoutMs: number,
  ) {
    this.#child = child;
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#ended = new Promise((resolve) => {
      child.once("close", () => {
        for (const answer of this.#waiting.splice(0)) answer(undefined);
        resolve();
      });
    });
    answers.on("line", (line) => this.#waiting.shift()?.(line));
    // Writing to a process that has ended fails here; the wait for its answer fails, too.
    child.stdin.on("error", () => {});
    this.#keepAlive(false);
  }

  begin(signal?: AbortSignal, pause?: () => Promise<void>): Promise<void> {
    const attempt = async () => {
      const { message, errcode } = (await this.#ask("begin")) ?? { message: "ended", errcode: CANTOPEN };
      if (message !== undefined) throw Object.assign(new Error(message), { errcode });
    };
    return whenFree(this.#path, this.#busyTimeoutMs, signal, attempt, pause);
  }

  end(): void {
    void this.#ask("end");
  }

  close(): Promise<boolean> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<boolean> {
    // A process that something else ended gives no answer.
    const wasThere = (await this.#ask("end")) !== undefined;
    this.#keepAlive(true);
    this.#child.stdin.end();
    await this.#ended;
    return wasThere;
  }

  async #ask(command: "begin" | "end"): Promise<Answer | undefined> {
    this.#keepAlive(true);
    const answer = await new Promise<string | undefined>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#child.exitCode === null && this.#child.signalCode === null) {
        this.#child.stdin.write(`${command}\n`);
      } else {
        resolve(undefined);
      }
    });
    if (this.#waiting.length === 0) this.#keepAlive(false);
    return answer === undefined ? undefined : JSON.parse(answer);
  }

  /** Lets this process end although a moment was forgotten. */
  #keepAlive(keep: boolean): void {
    for (const part of [this.#child, this.#child.stdin, this.#child.stdout]) {
      const handle = part as { ref?(): void; unref?(): void };
      if (keep) handle.ref?.();
      else handle.unref?.();
    }
  }
}

/** The runtime's executable; `undefined` when that is a program made with the runtime, which would only start again. */
function argumentsOf(path: string): string[] | undefined {
  const { versions, execPath } = process;
  if (
    versions.electron === undefined &&
    !/^(node|nodejs|deno|bun)[\d.]*(\.exe)?$/i.test(basename(execPath))
  ) {
    return undefined;
  }
  return versions.deno === undefined ? ["-e", PROGRAM, path] : ["eval", PROGRAM, path];
}
