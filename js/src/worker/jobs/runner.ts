import { PagemarkError } from "../../errors/index.ts";
import type { JobRow, JobTable } from "./job-table.ts";
import type { Answer, JobEvent, JobKind, Machine } from "./machine.ts";

/** What the work of a job is given. */
export interface Run {
  /** Says when to stop. */
  readonly signal: AbortSignal;
  /** Tells the client, at its next poll. */
  tell(message: string): void;
}

/** What jobs of a kind do. */
export interface Trade {
  readonly kind: JobKind;
  /** Does it, and gives what an answer's `result` shall hold. Begins at once, in the turn in which it is called. */
  work(row: JobRow, run: Run): Promise<Record<string, unknown>>;
  /** Has deleted what is in the bucket of it. */
  discard(row: JobRow): void;
}

/** What a job's steps have in common with those of the others. */
export interface Shop {
  readonly table: JobTable;
  readonly machine: Machine;
  /** Something is to be done later than before, or earlier, or at once. */
  plan(): void;
}

interface Running {
  stop: AbortController;
  done: Promise<void>;
}

/** A job that is to begin. */
export type NewJob = Omit<JobRow, "id" | "kind" | "state">;

/** Runs jobs of one kind as the core's state machine says. Polls of one job share one run of its work. */
export class JobRunner {
  readonly #shop: Shop;
  readonly #trade: Trade;
  readonly #running = new Map<string, Running>();
  /** Who waits for the end of a job. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(shop: Shop, trade: Trade) {
    this.#shop = shop;
    this.#trade = trade;
  }

  /** Begins a job. */
  start(job: NewJob): Answer {
    const row = { id: crypto.randomUUID(), kind: this.#trade.kind, state: "", ...job };
    return this.#answer(this.#step(row, "started", row.bookmark));
  }

  /** The same, of a job that there is: one that runs goes on, one that ended well says so again. */
  join(row: JobRow): Answer {
    return this.#answer(this.#step(row, "started", row.bookmark));
  }

  /** Holds the poll for about a second, or until the job has ended. */
  async poll(id: string): Promise<Answer> {
    const row = this.#shop.table.row(id);
    if (!row) return this.#shop.machine.refuse(this.#trade.kind, "unknown");
    const { answer, wait } = this.#step(row, "polled");
    if (answer) return answer;
    await this.#ended(id, (wait ?? 0) - Date.now());
    const then = this.#shop.table.row(id);
    return then
      ? this.#answer(this.#step(then, "due"))
      : this.#shop.machine.refuse(this.#trade.kind, "unknown");
  }

  /** What an alarm does to a job. */
  tick(row: JobRow): void {
    this.#quietly(row, "tick");
  }

  /** Takes over what another instance of the object has left. */
  resume(): void {
    for (const row of this.#shop.table.active(this.#trade.kind)) this.#quietly(row, "resumed");
  }

  /** Stops all work, as if the object was gone. */
  async close(): Promise<void> {
    for (const { stop } of this.#running.values())
      stop.abort(new PagemarkError("CANCELED", "it was stopped"));
    await Promise.all(Array.from(this.#running.values(), ({ done }) => done));
  }

  #quietly(row: JobRow, event: JobEvent): void {
    try {
      this.#step(row, event);
    } catch (error) {
      // A damaged one has been given up; whoever polls is told that there is none.
      if (!(error instanceof PagemarkError)) throw error;
    }
  }

  #answer({ answer }: { answer?: Answer }): Answer {
    return answer ?? this.#shop.machine.refuse(this.#trade.kind, "unknown");
  }

  /** Makes a step of the state machine, saves what comes of it, and does what it says. Nothing of it waits. */
  #step(row: JobRow, event: JobEvent, detail = ""): { answer?: Answer; wait?: number } {
    const { table } = this.#shop;
    const { job, active, actions } = this.#decide(row, event, detail);
    const said: { answer?: Answer; wait?: number } = {};
    const alarms = actions.map((action) =>
      typeof action === "object" && "alarm" in action ? action.alarm : 0,
    );
    // What is to be deleted may be noted with the job, and the job by who works on it, so it is saved first.
    if (job !== null) table.save({ ...row, state: job }, active, Math.max(...alarms));
    for (const action of actions) {
      if (action === "work") this.#work({ ...row, state: job ?? "" });
      else if (action === "release") this.#running.get(row.id)?.stop.abort(cancelled());
      else if (action === "delete") this.#trade.discard(table.row(row.id) ?? row);
      else if ("answer" in action) said.answer = action.answer;
      else if ("wait" in action) said.wait = action.wait;
    }
    if (job === null) table.remove(row.id);
    if (!active) for (const wake of this.#waiting.get(row.id) ?? []) wake();
    this.#shop.plan();
    return said;
  }

  #decide(row: JobRow, event: JobEvent, detail: string) {
    try {
      return this.#shop.machine.step(row.kind, row.state || undefined, event, detail, Date.now());
    } catch (error) {
      this.#running.get(row.id)?.stop.abort(error);
      this.#trade.discard(row);
      this.#shop.table.remove(row.id);
      throw error;
    }
  }

  #work(row: JobRow): void {
    const running = this.#running.get(row.id);
    if (running && !running.stop.signal.aborted) return;
    const stop = new AbortController();
    const done = this.#run(row, stop, running?.done).finally(() => {
      if (this.#running.get(row.id)?.stop === stop) this.#running.delete(row.id);
    });
    this.#running.set(row.id, { stop, done });
  }

  /** Works, and says how it went; never fails. */
  async #run(row: JobRow, stop: AbortController, before: Promise<void> | undefined): Promise<void> {
    const { signal } = stop;
    const say = (event: JobEvent, detail: string) => {
      const now = this.#shop.table.row(row.id);
      if (now) this.#step(now, event, detail);
    };
    try {
      // Two runs of one job would mix what they write: the one before, if there is one, ends first.
      await before;
      if (signal.aborted) return;
      const tell = (message: string) => {
        if (!signal.aborted) say("message", message);
      };
      const result = await this.#trade.work(row, { signal, tell });
      say("finished", JSON.stringify(result));
    } catch (error) {
      if (!signal.aborted) say("failed", wordsOf(error));
    }
  }

  /** Waits for the end of a job, but no longer than `time` milliseconds. */
  async #ended(id: string, time: number): Promise<void> {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, Math.max(time, 0));
      waiting.add(end);
    });
    if (waiting.size === 0) this.#waiting.delete(id);
  }
}

function cancelled(): PagemarkError {
  return new PagemarkError("CANCELED", "the job was ended");
}

/** What a client is told. A defect says nothing of itself. */
function wordsOf(error: unknown): string {
  if (error instanceof PagemarkError) return error.message;
  // biome-ignore lint/suspicious/noConsole: what has no name is a defect, and this is a Worker's log
  console.error("a job failed", error);
  return "internal error; the Worker's log says more";
}
