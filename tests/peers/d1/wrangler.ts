// The real wrangler, run as its users run it, with a local D1 of its own.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../../node_modules/wrangler/bin/wrangler.js");

export class Wrangler {
  readonly folder: string;

  /** In a new folder, where nothing was run yet. */
  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    const databases = [{ binding: "DB", database_name: "app", database_id: "app" }];
    const config = { name: "app", compatibility_date: "2026-10-01", d1_databases: databases };
    writeFileSync(join(folder, "wrangler.json"), JSON.stringify(config));
  }

  /** `wrangler d1 execute --local --file`; what it says when it fails. */
  execute(sql: string): string | undefined {
    writeFileSync(join(this.folder, "app.sql"), sql);
    return this.executeFile("app.sql");
  }

  executeFile(file: string): string | undefined {
    return this.#d1("execute", "app", "--local", "--yes", "--file", file);
  }

  /** `wrangler d1 export --local`; what it says when it fails. */
  export(file: string, ...options: string[]): string | undefined {
    return this.#d1("export", "app", "--local", "--output", file, ...options);
  }

  /** The file in which the local D1 is. */
  get database(): string {
    const folder = join(this.folder, ".wrangler/state/v3/d1/miniflare-D1DatabaseObject");
    const [name, ...others] = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
    if (name === undefined || others.length > 0) throw new Error(`not one database in ${folder}`);
    return join(folder, name);
  }

  #d1(...args: string[]): string | undefined {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, "d1", ...args], {
      cwd: this.folder,
      encoding: "utf8",
      env: {
        ...process.env,
        NO_COLOR: "1",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_SEND_ERROR_REPORTS: "false",
        XDG_CONFIG_HOME: this.folder,
        WRANGLER_LOG_PATH: join(this.folder, "logs"),
      },
    });
    return status === 0 ? undefined : `${stdout}${stderr}`;
  }
}
