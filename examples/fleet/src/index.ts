import { DurableObject, WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { backupSteps, d1, durableObject, pagemark, r2, stateFromBytes, stateToBytes } from "pagemark";

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
    return made(await pagemark(durableObject(this.ctx.storage), { name, store }).backup());
  }
}

/** What one step of a first backup may take: of the processor much less than the 30 s that it has. */
const A_PART = { maxMs: 10_000, maxBytes: 64 << 20 };

/** The backup of one database. What fails is tried again by the engine, and what was done is not done again. */
export class BackUp extends WorkflowEntrypoint<Env, Subject> {
  override async run({ payload: { kind, name } }: WorkflowEvent<Subject>, step: WorkflowStep): Promise<Made> {
    const delay = (this.env.RETRY_DELAY ?? "30 seconds") as WorkflowSleepDuration;
    const retries = { limit: 8, delay, backoff: "exponential" as const };
    const options = { retries, timeout: "15 minutes" as const };
    if (kind === "tenant")
      return step.do("back up", options, async () =>
        made(await this.env.TENANTS.getByName(name).backup(`tenant-${name}`)),
      );
    // The first may take longer than an invocation has; later ones read what changed.
    for (let part = 1; ; part++) {
      const made = await step.do(`back up, part ${part}`, options, () => backUpPart(this.env, name));
      if (made) return made;
    }
  }
}

/** Backs a D1 database up, or goes on with its first backup; what that came to, once it is made. */
async function backUpPart(env: Env, name: string): Promise<Made | null> {
  const database = databasesIn(env).get(name);
  if (!database) throw new Error(`no D1 database is bound as ${name}`);
  const stored = `d1-${name}`;
  const options = { name: stored, store: r2(env.BACKUPS) };
  const source = d1(database, { tracking: true });
  const db = pagemark(source, options);
  for await (const _ of db.backups()) return made(await db.backup());
  const steps = backupSteps(source, options);
  // Beside the pages that are made, where the next backup sweeps what was given up.
  const key = `${stored}/scratch/state`;
  const kept = await env.BACKUPS.get(key);
  const state = kept ? stateFromBytes(await kept.bytes()) : await steps.start();
  const next = await steps.step(state, A_PART);
  if (next.done) await env.BACKUPS.delete(key);
  else await env.BACKUPS.put(key, stateToBytes(next.state));
  return next.done ? made(next.done) : null;
}

function made({ id, kind }: Made): Made {
  return { id, kind };
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
