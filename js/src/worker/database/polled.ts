import { type ExportRequest, type ImportRequest, PolledJobs, type Told } from "../jobs/index.ts";
import type { Home } from "./home.ts";

/** When an alarm that did not end is made up for, in milliseconds. */
const AGAIN_MS = 20_000;

/** The exports and imports of clients that poll, opened when they are first needed. */
export class Polled {
  readonly #home: Home;
  #opening: Promise<PolledJobs> | undefined;

  constructor(home: Home) {
    this.#home = home;
    // What an object before this one has left under way comes before anything else: the next commit may drop the states
    // it reads, and no write may come between the two ends of an import.
    home.live.onOpened(async (database) => {
      if (!PolledJobs.areActive(home.storage)) return;
      // Clients that poll hear of it; others need not.
      await this.#open(database).catch(() => {});
    });
  }

  async export(request: ExportRequest): Promise<Told> {
    return (await this.#jobs()).export(request);
  }

  async import(request: ImportRequest): Promise<Told> {
    return (await this.#jobs()).import(request);
  }

  /** What is due. */
  async alarm(): Promise<void> {
    const { agenda } = this.#home;
    // An object that is evicted meanwhile is followed by one that does it again.
    await agenda.set("polled", Date.now() + AGAIN_MS);
    // Not behind the gate: a restore that holds it closed may be waiting for the alarm after this one.
    const next = await (await this.#open(await this.#home.live.database())).alarm();
    if (next === undefined) await agenda.drop("polled");
    else await agenda.set("polled", next);
  }

  /** Stops all of it: nothing is done any more when this resolves. */
  async stop(): Promise<void> {
    const jobs = await this.#opening?.catch(() => undefined);
    await jobs?.close();
  }

  async #jobs(): Promise<PolledJobs> {
    return this.#open(await this.#home.database());
  }

  #open(database: Awaited<ReturnType<Home["database"]>>): Promise<PolledJobs> {
    const { identity, storage, env, agenda } = this.#home;
    this.#opening ??= PolledJobs.open({
      uuid: identity.uuid,
      database,
      storage,
      bucket: env.BACKUPS,
      steps: this.#home.steps,
      wake: (at) => {
        agenda.set("polled", at).catch(() => {});
      },
    }).catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }
}
