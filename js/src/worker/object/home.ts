import type { Database } from "../../entry/engine.workerd.ts";
import { r2, type Store } from "../../entry/workerd.ts";
import { Gate } from "../../service/gate.ts";
import { backupName, type Identity } from "../../service/identity.ts";
import { JobRunner } from "../../service/jobs/runner.ts";
import { type JobError, JobTable } from "../../service/jobs/table.ts";
import type { BackupsPlace } from "../../vault/kept-backups.ts";
import { Agenda } from "../jobs/agenda.ts";
import { Bin } from "../jobs/bin.ts";
import { MOST_STEPS, type ObjectEnv, setting } from "../settings.ts";
import { Live } from "./live.ts";
import { backupsPlace } from "./notes.ts";

const HOUR_MS = 3_600_000;

/** A database's object from the inside: what its parts share. */
export class Home {
  readonly identity: Identity;
  readonly env: ObjectEnv;
  readonly storage: DurableObjectStorage;
  readonly live: Live;
  readonly gate = new Gate();
  readonly agenda: Agenda;
  readonly jobs: JobTable;
  readonly runner: JobRunner;
  readonly bin: Bin;
  /** Where backups go. */
  readonly store: Store;
  /** The same, with what is known of them. */
  readonly place: BackupsPlace;

  constructor(ctx: DurableObjectState, env: ObjectEnv, identity: Identity) {
    this.identity = identity;
    this.env = env;
    this.storage = ctx.storage;
    this.live = new Live(ctx.storage, identity.uuid, {
      ageMs: setting(env.PAGEMARK_HISTORY_HOURS, 24) * HOUR_MS,
      bytes: setting(env.PAGEMARK_HISTORY_MB, 10_000) * 1e6,
    });
    this.agenda = new Agenda(ctx.storage);
    this.jobs = new JobTable(ctx.storage.sql);
    this.runner = new JobRunner(this.jobs, this.agenda, (what, error) => this.log(what, error));
    this.bin = new Bin(ctx.storage.sql, env.BACKUPS);
    this.store = r2(env.BACKUPS);
    this.place = backupsPlace(ctx.storage.sql, env, identity, this);
  }

  get backupName(): string {
    return backupName(this.identity);
  }

  /** How many of SQLite's instructions a request may take; see `Database.limited` of the engine. */
  get steps(): number {
    return setting(this.env.PAGEMARK_QUERY_STEPS, MOST_STEPS);
  }

  /** Whether requests are held to D1's limits, for those who may move there. */
  get asD1(): boolean {
    return this.env.PAGEMARK_D1_LIMITS === "1";
  }

  /** Tells the Worker's log what failed with nobody waiting for it: the database's name and a code, and no contents. */
  log(what: string, { code, message }: JobError): void {
    // biome-ignore lint/suspicious/noConsole: this is a Worker's log
    console.error(`database ${JSON.stringify(this.identity.name)}: ${what} failed: ${code}: ${message}`);
  }

  /** The open database, once nothing replaces it any more. */
  async database(): Promise<Database> {
    await this.gate.enter();
    const database = await this.live.database();
    // It may have been closed while this waited for it to open.
    return this.gate.closedFor === undefined ? database : this.database();
  }
}
