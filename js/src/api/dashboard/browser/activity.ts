// What is under way, and what ended lately.
import type { Job } from "./api.ts";
import { h, swap } from "./dom.ts";
import { bytes, exactTime, number } from "./format.ts";
import { announce } from "./notices.ts";

/** Something of the page's own that takes a while. */
export interface Transfer {
  name: string;
  /** In bytes. */
  done: number;
  total: number;
}

/** So many that ended are shown at once; the others of the last day can be. */
const ENDED = 3;
/** Progress is read out in such steps, in percent. */
const STEP = 25;

const NAMES = { backup: "Backup", restore: "Restore", export: "Export", import: "Import" };

export function isOver({ state }: Job): boolean {
  return state === "done" || state === "failed" || state === "canceled";
}

export class Activity {
  readonly element = h("section", { class: "card activity", "aria-label": "Activity", hidden: true });
  /** Cancels a job; missing for who may not. */
  readonly #cancel: ((job: Job) => unknown) | undefined;
  /** Whether all that ended are shown. */
  #isOpen = false;
  /** What was last read out of each. */
  readonly #said = new Map<string, string>();

  constructor(cancel: ((job: Job) => unknown) | undefined) {
    this.#cancel = cancel;
  }

  show(jobs: readonly Job[], transfers: readonly Transfer[]): void {
    const running = jobs.filter((job) => !isOver(job));
    const ended = jobs.filter(isOver);
    this.element.hidden = running.length + transfers.length + ended.length === 0;
    swap(
      this.element,
      h("h2", {}, "Activity"),
      h(
        "ul",
        {},
        ...running.map((job) => runningRow(job, this.#cancel)),
        ...transfers.map(transferRow),
        ...ended.slice(0, ENDED).map(endedRow),
      ),
      ended.length > ENDED && this.#older(ended.slice(ENDED)),
    );
    for (const job of jobs) this.#say(job);
  }

  #older(jobs: readonly Job[]): HTMLElement {
    const details: HTMLDetailsElement = h(
      "details",
      {
        open: this.#isOpen,
        ontoggle: () => {
          this.#isOpen = details.open;
        },
      },
      h("summary", { id: "older-jobs" }, `${number(jobs.length)} more of the last day`),
      h("ul", {}, ...jobs.map(endedRow)),
    );
    return details;
  }

  /** Says how a job gets on, but not every second; nothing of those that were over before the page came. */
  #say(job: Job): void {
    const before = this.#said.get(job.id);
    const percent = job.total > 0 ? Math.floor((job.done / job.total) * 100) : 0;
    const now = job.state === "running" ? `${percent - (percent % STEP)} %` : job.state;
    if (before === now) return;
    this.#said.set(job.id, now);
    if (before === undefined && isOver(job)) return;
    announce(`${NAMES[job.kind]} ${now}${job.error ? `: ${job.error.message}` : ""}`);
  }
}

function runningRow(job: Job, cancel: ((job: Job) => unknown) | undefined): HTMLElement {
  const { id, kind, state, phase, done, total } = job;
  const unit = (count: number) => (phase === "pages" ? number(count) : bytes(count));
  const ofAll = total > 0 ? ` of ${unit(total)}` : "";
  const far = done + total > 0 ? `${unit(done)}${ofAll}${phase === "pages" ? " pages" : ""}` : "";
  return h(
    "li",
    {},
    h("strong", {}, NAMES[kind]),
    h("span", { class: `state ${state}` }, state),
    h("span", { class: "muted" }, far),
    cancel &&
      state !== "canceling" &&
      h("button", { class: "quiet", id: `cancel-${id}`, onclick: () => cancel(job) }, "Cancel"),
    bar(NAMES[kind], done, total),
  );
}

function transferRow({ name, done, total }: Transfer): HTMLElement {
  return h(
    "li",
    {},
    h("strong", {}, "Download"),
    h("span", { class: "state running" }, "running"),
    h("span", { class: "muted" }, `${name}, ${bytes(done)} of ${bytes(total)}`),
    bar("Download", done, total),
  );
}

function endedRow({ kind, state, updated_at, error, warnings = [] }: Job): HTMLElement {
  return h(
    "li",
    {},
    h("strong", {}, NAMES[kind]),
    h("span", { class: `state ${state}` }, state),
    h("span", { class: "muted" }, exactTime(updated_at)),
    state === "failed" && error && h("p", { class: "error" }, error.message),
    ...warnings.map((warning) => h("p", { class: "warning" }, warning)),
  );
}

function bar(label: string, done: number, total: number): HTMLElement {
  return h("progress", { "aria-label": label, ...(total > 0 && { value: done, max: total }) });
}
