import { PagemarkError } from "../../errors/index.ts";
import type { Answer, JobEvent, JobResult, Machine } from "./machine.ts";
import { canceledError, type End, type JobKind, type JobRunner, type Run, shownError } from "./runner.ts";
import type { Job, JobError, JobRow, JobTable, LeasedRow } from "./table.ts";

/** What jobs of a kind do that a client polls for. */
export interface LeasedKind {
  readonly kind: "export" | "import";
  /** Does it, and gives what an answer's `result` shall hold. */
  work(row: LeasedRow, run: Run): Promise<JobResult>;
  /** Schedules the job's objects in the bucket for deletion. */
  discard(row: JobRow): void;
}

/** Notes down files that are to go at some time. */
export interface JobBin {
  /** With the upload that it was to become of, if any; in milliseconds since 1970. */
  put(key: string, uploadId: string | null, dueMs: number): void;
  /** It is wanted again. */
  keep(key: string): void;
}

/** What all that polled jobs do has in common. */
export interface JobContext {
  readonly table: JobTable;
  readonly bin: JobBin;
  readonly runner: JobRunner;
  readonly machine: Machine;
  /** Something is to be done at another time than before. */
  plan(): void;
}

/** A job that is to begin; `request` is what its work needs. */
export interface NewJob {
  bookmark: string;
  label: string;
  request: object;
}

/** Jobs of one kind that end when nobody polls for them, as the core's state machine says. */
export class LeasedJobs implements JobKind<JobResult> {
  readonly kind: LeasedKind["kind"];
  readonly #context: JobContext;
  readonly #of: LeasedKind;

  constructor(context: JobContext, of: LeasedKind) {
    this.kind = of.kind;
    this.#context = context;
    this.#of = of;
    context.runner.add(this);
  }

  /** Begins a job. */
  begin({ bookmark, label, request }: NewJob): Answer {
    const id = crypto.randomUUID();
    const { kind } = this;
    const row = {
      id,
      kind,
      state: "pending",
      bookmark,
      label,
      request,
      lease: "",
      error: null,
    } as const;
    return this.#answer(this.#step(row, "started", bookmark));
  }

  /** The same, of a job that there is: one that runs goes on, one that ended well says so again. */
  join(row: LeasedRow): Answer {
    return this.#answer(this.#step(row, "started", row.bookmark));
  }

  /** Holds the poll for about a second, or until the job has ended. */
  async poll(id: string): Promise<Answer> {
    const row = this.#row(id);
    if (!row) return this.refuse("unknown");
    const { answer, wait } = this.#step(row, "polled");
    if (answer) return answer;
    await this.#context.runner.ended(id, (wait ?? 0) - Date.now());
    const then = this.#row(id);
    return then ? this.#answer(this.#step(then, "due")) : this.refuse("unknown");
  }

  refuse(refusal: "unknown" | "elsewhere" | "busy", bookmark?: string): Answer {
    return this.#context.machine.refuse(this.kind, refusal, bookmark);
  }

  /** What an alarm does to a job. */
  tick(row: LeasedRow): void {
    this.#quietly(row, "tick");
  }

  /** Takes over what another instance of the object has left. */
  resume(): void {
    for (const row of this.#context.table.active(this.kind)) this.#quietly(row, "resumed");
  }

  // What the runner asks for.

  work(row: JobRow, run: Run): Promise<JobResult> {
    return this.#of.work(row as LeasedRow, run);
  }

  told({ id }: JobRow, message: string): void {
    const row = this.#row(id);
    if (row) this.#step(row, "message", message);
  }

  ended({ id }: JobRow, end: End<JobResult>): void {
    const row = this.#row(id);
    if (!row) return;
    if ("result" in end) this.#step(row, "finished", JSON.stringify(end.result));
    else this.#failed(row, end.error);
  }

  canceled({ id }: JobRow): void {
    const row = this.#row(id);
    if (!row || !isActive(row)) return;
    this.#failed(row, canceledError());
    // A failed one may have left something, for another attempt.
    this.#of.discard(this.#row(id) ?? row);
    this.#context.plan();
  }

  #failed(row: LeasedRow, error: unknown): void {
    const shown = shownError(error);
    this.#step(row, "failed", shown.message, shown);
  }

  #row(id: string): LeasedRow | undefined {
    const row = this.#context.table.row(id);
    return row && row.lease !== null ? (row as LeasedRow) : undefined;
  }

  #quietly(row: LeasedRow, event: JobEvent): void {
    try {
      this.#step(row, event);
    } catch (error) {
      // A damaged one has been given up; whoever polls is told that there is none.
      if (!(error instanceof PagemarkError)) throw error;
    }
  }

  #answer({ answer }: { answer?: Answer }): Answer {
    return answer ?? this.refuse("unknown");
  }

  /** Makes a step of the state machine, saves what comes of it, and does what it says. Nothing of it waits. */
  #step(row: LeasedRow, event: JobEvent, detail = "", error?: JobError): { answer?: Answer; wait?: number } {
    const { table, runner, plan } = this.#context;
    const { job, active, actions } = this.#decide(row, event, detail);
    const said: { answer?: Answer; wait?: number } = {};
    const alarmMs = Math.max(
      ...actions.map((action) => (typeof action === "object" && "alarm" in action ? action.alarm : 0)),
    );
    // What is to be deleted may be noted with the job, and the job by who works on it, so it is saved first.
    if (job !== null) {
      table.saveLease(row, { ...stateAfter(row, active, event, error), lease: job, alarmMs });
    }
    for (const action of actions) {
      if (action === "work") runner.start({ ...row, lease: job });
      else if (action === "release") runner.release(row.id, canceledError());
      else if (action === "delete") this.#of.discard(table.row(row.id) ?? row);
      else if ("answer" in action) said.answer = action.answer;
      else if ("wait" in action) said.wait = action.wait;
    }
    if (job === null) table.remove(row.id);
    if (!active) runner.wake(row.id, { error: canceledError() });
    plan();
    return said;
  }

  #decide(row: LeasedRow, event: JobEvent, detail: string) {
    const { table, runner, machine } = this.#context;
    try {
      return machine.step(this.kind, row.lease || undefined, event, detail, Date.now());
    } catch (error) {
      runner.release(row.id, error);
      this.#of.discard(row);
      table.remove(row.id);
      throw error;
    }
  }
}

function isActive({ state }: JobRow): boolean {
  return state === "pending" || state === "running";
}

/** What a step makes of what the list shows: only the end of the work, and that of the lease, end a job. */
function stateAfter(
  row: JobRow,
  active: boolean,
  event: JobEvent,
  error: JobError | undefined,
): { state: Job["state"]; error?: JobError } {
  if (active) return { state: "running" };
  if (!isActive(row)) return { state: row.state };
  if (event === "finished") return { state: "done" };
  if (!error) return { state: "canceled", error: UNPOLLED };
  return { state: error.code === "CANCELED" ? "canceled" : "failed", error };
}

const UNPOLLED = { code: "CANCELED", message: "nobody has polled for it" };
