// Unmodified wranglers, run as their users run them, against the Worker of the test file.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { ACCOUNT, type TestApi, TOKEN } from "./api.ts";
import { QUIET, wranglerMain } from "./worker.ts";

const clients = join(import.meta.dirname, "../../.cache/clients/node_modules");

const MAINS = {
  "4": wranglerMain,
  "3": join(clients, "wrangler-3/bin/wrangler.js"),
  "3.20": join(clients, "wrangler-3.20/bin/wrangler.js"),
};

export type WranglerVersion = keyof typeof MAINS;

export interface Ran {
  status: number | null;
  stdout: string;
  /** Both outputs, as they came. */
  output: string;
}

export class Wrangler {
  /** Where it is run, and where it leaves its files. */
  readonly folder: string;
  readonly #worker: TestApi;
  readonly #main: string;

  constructor(worker: TestApi, version: WranglerVersion, folder = "wrangler") {
    this.#worker = worker;
    this.#main = MAINS[version];
    this.folder = join(worker.folder, folder);
    mkdirSync(this.folder, { recursive: true });
  }

  /** Makes a project of the folder, that names the database. */
  configure(name: string, uuid: string): void {
    const lines = [
      'name = "project"',
      'compatibility_date = "2023-10-30"',
      `[[d1_databases]]\nbinding = "DB"\ndatabase_name = "${name}"\ndatabase_id = "${uuid}"`,
    ];
    writeFileSync(this.path("wrangler.toml"), `${lines.join("\n")}\n`);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** `wrangler d1 …`; what it prints on standard output. A failure throws all that it printed. */
  async d1(...args: string[]): Promise<string> {
    const { status, stdout, output } = await this.tryD1(...args);
    if (status !== 0) throw new Error(`wrangler d1 ${args.join(" ")}: exit code ${status}\n${output}`);
    return stdout;
  }

  /** The same, of a command that prints JSON. */
  async json<T>(...args: string[]): Promise<T> {
    const stdout = await this.d1(...args, "--json");
    // wrangler 3 may print its banner before.
    return JSON.parse(stdout.slice(stdout.search(/^[[{]/m))) as T;
  }

  tryD1(...args: string[]): Promise<Ran> {
    return this.run(["d1", ...args]);
  }

  run(args: string[], env: Record<string, string | undefined> = {}): Promise<Ran> {
    const child = spawn(process.execPath, [this.#main, ...args], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env.PATH ?? "",
        HOME: this.folder,
        ...QUIET,
        XDG_CONFIG_HOME: this.folder,
        WRANGLER_LOG_PATH: join(this.folder, "logs"),
        CLOUDFLARE_API_BASE_URL: this.#worker.api,
        CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
        CLOUDFLARE_API_TOKEN: TOKEN,
        // wrangler 3 asks the npm registry for newer versions; nobody answers there.
        npm_config_registry: "http://127.0.0.1:9",
        ...env,
      },
    });
    let [stdout, output] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => {
        const plain = stripVTControlCharacters;
        resolve({ status, stdout: plain(stdout), output: plain(output) });
      });
    });
  }
}
