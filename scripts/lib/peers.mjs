// Pagemark's commands beside its peers' on one database, for the benchmarks.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { measure, settle } from "./measure.mjs";
import { root } from "./run.mjs";

/** The path of a peer that the set-up brought. */
export const peer = (name) => join(root, ".cache/bin", name);

export const pagemark = [process.execPath, join(root, "js/dist/bin/pagemark.js")];

/** The commands for one database, and a folder for what they write. */
export class Peers {
  constructor(folder, database) {
    this.folder = folder;
    this.database = database;
    mkdirSync(folder, { recursive: true });
  }

  at(name) {
    return join(this.folder, name);
  }

  /** A path in the folder where nothing is. */
  fresh(name) {
    for (const ending of ["", "-wal", "-shm", "-journal"])
      rmSync(this.at(name + ending), { recursive: true, force: true });
    return this.at(name);
  }

  dump(...options) {
    return [...pagemark, "dump", this.database, ...options];
  }

  backup() {
    return [...pagemark, "backup", this.database, "--name", "bench", "--to", this.fresh("store")];
  }

  litestreamBackup() {
    const copy = this.fresh("litestream.db");
    rmSync(this.at(".litestream.db-litestream"), { recursive: true, force: true });
    copyFileSync(this.database, copy);
    return [peer("litestream"), "replicate", "-once", copy, `file://${this.fresh("replica")}`];
  }

  /** After {@link Peers.backup}. */
  restore() {
    return [...pagemark, "restore", "bench", "--from", this.at("store"), "-o", this.fresh("restored.db")];
  }

  /** After {@link Peers.litestreamBackup}. */
  litestreamRestore() {
    return [peer("litestream"), "restore", "-o", this.fresh("restored.db"), `file://${this.at("replica")}`];
  }

  /** Makes what the incremental ones go on from. Each backup changes what the next one sees, so it is of a copy. */
  beginIncremental() {
    copyFileSync(this.database, this.fresh("live.db"));
    copyFileSync(this.database, this.fresh("rsync.db"));
    run([...pagemark, "backup", this.at("live.db"), "--name", "live", "--to", this.fresh("store")]);
  }

  incremental() {
    return [...pagemark, "backup", this.at("live.db"), "--name", "live", "--to", this.at("store")];
  }

  rsync() {
    return [peer("sqlite3_rsync"), this.at("live.db"), this.at("rsync.db")];
  }
}

/**
 * Runs commands in turns, `runs` times after a round that warms the caches up. Each is a name, what gives the command
 * line, and what is done before it. Gives each with what was measured.
 */
export function contest(runs, commands) {
  const results = commands.map(([name]) => ({ name, measured: [] }));
  for (let round = 0; round <= runs; round++) {
    for (const [index, [, command, prepare]] of commands.entries()) {
      prepare?.();
      const line = command();
      settle();
      const measured = run(line);
      if (round > 0) results[index].measured.push(measured);
    }
  }
  return results;
}

/** Runs a command that must end with 0, and gives what it took. */
export function run(line) {
  const measured = measure(line);
  if (measured.code !== 0) throw new Error(`${line.join(" ")} ended with ${measured.code}`);
  return measured;
}
