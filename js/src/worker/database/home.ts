import type { Database } from "../../entry/engine.workerd.ts";
import { r2, type Store } from "../../entry/workerd.ts";
import { type Env, setting } from "../env.ts";
import { Agenda } from "./agenda.ts";
import { Gate } from "./gate.ts";
import { Jobs } from "./jobs.ts";
import { Live } from "./live.ts";

/** What an object knows of itself, from when it was created. */
export interface Identity {
  uuid: string;
  name: string;
  /** RFC 3339. */
  createdAt: string;
  /** Near where it was wanted. */
  location?: string | undefined;
}

const HOUR_MS = 3_600_000;
/** Some ten seconds of a processor at most, whatever the statements do. */
const MOST_STEPS = 300_000_000;

/** A database's object from the inside: what its parts share. */
export class Home {
  readonly identity: Identity;
  readonly env: Env;
  readonly storage: DurableObjectStorage;
  readonly live: Live;
  readonly gate = new Gate();
  readonly agenda: Agenda;
  readonly jobs: Jobs;
  /** Where backups go. */
  readonly store: Store;

  constructor(ctx: DurableObjectState, env: Env, identity: Identity) {
    this.identity = identity;
    this.env = env;
    this.storage = ctx.storage;
    this.live = new Live(ctx.storage, identity.uuid, {
      ageMs: setting(env.PAGEMARK_HISTORY_HOURS, 24) * HOUR_MS,
      bytes: setting(env.PAGEMARK_HISTORY_MB, 10_000) * 1e6,
    });
    this.agenda = new Agenda(ctx.storage);
    this.jobs = new Jobs(ctx.storage.sql);
    this.store = r2(env.BACKUPS);
  }

  get backupName(): string {
    return backupName(this.identity);
  }

  /** For how long automatic backups are kept, in milliseconds. */
  get keepMs(): number {
    return keepMs(this.env);
  }

  /** How many of SQLite's instructions a request may take; see `Database.limited` of the engine. */
  get steps(): number {
    return setting(this.env.PAGEMARK_QUERY_STEPS, MOST_STEPS);
  }

  /** Whether requests are held to D1's limits, for those who may move there. */
  get asD1(): boolean {
    return this.env.PAGEMARK_D1_LIMITS === "1";
  }

  /** The open database, once nothing replaces it any more. */
  async database(): Promise<Database> {
    await this.gate.enter();
    const database = await this.live.database();
    // It may have been closed while this waited for it to open.
    return this.gate.closedFor === undefined ? database : this.database();
  }
}

/** The name of a database's backups in the store: readable, and no other database's, also of one that had its name before. */
export function backupName({ name, uuid }: Pick<Identity, "name" | "uuid">): string {
  return `${name}-${uuid.slice(0, 8)}`;
}

/** For how long automatic backups are kept, in milliseconds. */
export function keepMs(env: Env): number {
  return setting(env.PAGEMARK_KEEP_HOURS, 24) * HOUR_MS;
}
