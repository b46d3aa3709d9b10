import { DurableObject, WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { d1, durableObject, pagemark, r2 } from "pagemark";

export interface Env {
  ACCOUNTS: D1Database;
  TENANTS: DurableObjectNamespace<Tenant>;
  BACKUPS: R2Bucket;
  TO_BACK_UP: Queue<Subject>;
  BACK_UP: Workflow<Subject>;
  /** How long a step waits before it is tried again. */
  RETRY_DELAY?: string;
}

/** A database, and the hour in which it is backed up: the same twice is one. */
interface Subject {
  kind: "d1" | "tenant";
  name: string;
  hour: string;
}

interface Made {
  id: string;
  kind: string;
}

/** Messages that a queue takes, and Workflows that are made, at once. */
const AT_ONCE = 100;

/** A tenant's database, which only its own object can read. */
export class Tenant extends DurableObject<Env> {
  async backup(name: string): Promise<Made> {
    const store = r2(this.env.BACKUPS);
    const { id, kind } = await pagemark(durableObject(this.ctx.storage), { name, store }).backup();
    return { id, kind };
  }
}

/** The backup of one database. What fails is tried again by the engine, and what was done is not done again. */
export class BackUp extends WorkflowEntrypoint<Env, Subject> {
  override async run({ payload }: WorkflowEvent<Subject>, step: WorkflowStep): Promise<Made> {
    const delay = (this.env.RETRY_DELAY ?? "30 seconds") as WorkflowSleepDuration;
    const retries = { limit: 8, delay, backoff: "exponential" as const };
    return step.do("back up", { retries, timeout: "15 minutes" }, () => backUp(this.env, payload));
  }
}

async function backUp(env: Env, { kind, name }: Subject): Promise<Made> {
  const stored = `${kind}-${name}`;
  if (kind === "tenant") return env.TENANTS.getByName(name).backup(stored);
  const database = databasesIn(env).get(name);
  if (!database) throw new Error(`no D1 database is bound as ${name}`);
  const backup = await pagemark(d1(database), { name: stored, store: r2(env.BACKUPS) }).backup();
  return { id: backup.id, kind: backup.kind };
}

function databasesIn(env: Env): Map<string, D1Database> {
  const isD1 = ([, value]: [string, unknown]) =>
    typeof (value as D1Database | undefined)?.batch === "function";
  const bound = Object.entries(env).filter((entry) => isD1(entry) && typeof entry[1].prepare === "function");
  return new Map(bound as [string, D1Database][]);
}

export default {
  /** Names all databases to the queue. */
  async scheduled({ scheduledTime }, env) {
    const hour = new Date(scheduledTime).toISOString().slice(0, 13);
    const { results } = await env.ACCOUNTS.prepare("SELECT name FROM tenants").all<{ name: string }>();
    const all: Subject[] = [
      ...[...databasesIn(env).keys()].map((name) => ({ kind: "d1" as const, name, hour })),
      ...results.map(({ name }) => ({ kind: "tenant" as const, name, hour })),
    ];
    for (let at = 0; at < all.length; at += AT_ONCE) {
      await env.TO_BACK_UP.sendBatch(all.slice(at, at + AT_ONCE).map((body) => ({ body })));
    }
  },

  /** Starts a Workflow for each; a message that comes twice finds it there. */
  async queue({ messages }, env) {
    const starts = messages.map(({ body }) => ({
      id: `${body.kind}-${body.name}-${body.hour}`,
      params: body,
    }));
    await env.BACK_UP.createBatch(starts);
  },
} satisfies ExportedHandler<Env, Subject>;
