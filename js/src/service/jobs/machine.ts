import type { Meta } from "../../client/wire.ts";
import { type Core, core } from "../../core/index.ts";

export type JobKind = "export" | "import";

/** What comes of a job that ended well. */
export interface JobResult {
  /** The file that an export made. */
  filename?: string;
  /** The state an import ends with, how many statements it had, and what they did in all. */
  final_bookmark?: string;
  num_queries?: number;
  meta?: Partial<Meta & { last_row_id: number }>;
}

/** What happens to a job; what belongs to it is a bookmark, a text or JSON. */
export type JobEvent = "started" | "polled" | "due" | "message" | "finished" | "failed" | "tick" | "resumed";

/** How a job stands, as D1's clients read it. `error` is there when it failed, `result` when it is complete. */
export interface JobAnswer {
  success: true;
  type: JobKind;
  at_bookmark: string;
  status: "active" | "complete" | "error";
  /** Since the last answer. */
  messages: string[];
  /** Errors of an import. */
  errors?: string[];
  error?: string;
  result?: JobResult;
}

/** Why there is no job to tell about. */
export interface JobRefusal {
  success: false;
  error: string;
}

export type Answer = JobAnswer | JobRefusal;

/** What to do after a step, in this order; times are in milliseconds since 1970. */
export type JobAction =
  | "work"
  | "release"
  | "delete"
  | { wait: number }
  | { answer: Answer }
  | { alarm: number };

export interface JobStep {
  /** To be saved; null when there is nothing to remember. */
  job: string | null;
  active: boolean;
  actions: JobAction[];
}

/** The core's state machine of jobs, which decides; nothing of it waits. */
export class Machine {
  readonly #core: Core;

  static async load(): Promise<Machine> {
    return new Machine(await core());
  }

  private constructor(core: Core) {
    this.#core = core;
  }

  /**
   * What an event does to a saved job; without `saved` there is none.
   *
   * @throws PagemarkError `JOB_SYNTAX` when `saved` is damaged
   */
  step(kind: JobKind, saved: string | undefined, event: JobEvent, detail: string, now: number): JobStep {
    return JSON.parse(this.#core.stepJob(kind, saved, event, detail, now));
  }

  /** A text as 64 digits that tell it from any other: SHA-256. */
  digest(text: string): string {
    const hasher = new this.#core.Sha256();
    hasher.update(new TextEncoder().encode(text));
    return hasher.digest();
  }

  refuse(kind: JobKind, refusal: "unknown" | "elsewhere" | "busy", bookmark = ""): JobRefusal {
    return JSON.parse(this.#core.refuseJob(kind, refusal, bookmark));
  }
}
