// `pagemark serve` over a folder, as its users start it: one for a test file, gone at its end.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, vi } from "vitest";
import { READ_TOKEN, TestApi, TOKEN } from "./api.ts";

const PROGRAM = join(import.meta.dirname, "../../js/dist/bin/pagemark.js");

export class TestServer extends TestApi {
  /** The folder with the databases. */
  readonly data = join(this.folder, "data");
  /** Where backups go. */
  readonly store = join(this.folder, "store");
  #child: ChildProcess | undefined;
  readonly #args: string[];
  #url = "";

  /** With these options, which may be about its folder. */
  constructor(args: (folder: string) => string[] = () => []) {
    super();
    this.#args = args(this.folder);
    vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
    beforeAll(async () => {
      mkdirSync(this.data);
      await this.start();
    });
    afterAll(() => this.stop());
  }

  get url(): string {
    return this.#url;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [PROGRAM, "serve", this.data, "--to", this.store, "--port", "0", "--json", ...this.#args],
      {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, PAGEMARK_TOKEN: TOKEN, PAGEMARK_READ_TOKEN: READ_TOKEN },
      },
    );
    this.#child = child;
    for await (const line of createInterface(child.stdout)) {
      this.#url = (JSON.parse(line) as { url: string }).url;
      return;
    }
    throw new Error("pagemark serve has ended");
  }

  /** Its exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    return ended;
  }
}
