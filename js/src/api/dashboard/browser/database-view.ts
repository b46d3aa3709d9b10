import { Activity, isOver, type Transfer } from "./activity.ts";
import { type Api, type Backup, type DatabaseInfo, type Job, Refusal, save } from "./api.ts";
import { backupTable } from "./backup-table.ts";
import { Chart } from "./chart.ts";
import { h, swap } from "./dom.ts";
import { bytes, exactTime, number } from "./format.ts";
import { announce, complain } from "./notices.ts";
import { openRestoreDialog } from "./restore-dialog.ts";
import { migrationList, offerUndo, restoredTo, type Undo, undoBanner, undoOf } from "./undo.ts";

/** How long to wait before asking again, in milliseconds. */
const WHILE_BUSY = 1000;
const WHILE_IDLE = 10_000;
const AT_FIRST = 150;

/** One database: its backups, and what can be done with them. */
export class DatabaseView {
  readonly element: HTMLElement;
  readonly #api: Api;
  readonly #uuid: string;
  readonly #title = h("h1", { tabindex: -1 }, "…");
  readonly #facts = h("dl", { class: "facts" });
  readonly #undo = h("div");
  readonly #activity: Activity;
  /** What there is to see of a database that was found. */
  readonly #sections = h("div", { hidden: true });
  readonly #chart = new Chart();
  readonly #backups = h("div");
  readonly #migrations = h("section", { class: "card", hidden: true });
  readonly #backUpButton: HTMLButtonElement;
  #name = "";
  /** Requests that change something, under way. */
  #changing = 0;
  #transfers: readonly Transfer[] = [];
  #jobs: readonly Job[] = [];
  #timer = 0;
  #isClosed = false;
  #isFailing = false;

  constructor(api: Api, uuid: string) {
    this.#api = api;
    this.#uuid = uuid;
    this.#activity = new Activity(api.mayWrite ? (job) => this.#cancel(job) : undefined);
    this.#backUpButton = h(
      "button",
      { class: "primary", disabled: true, onclick: () => this.#backUp() },
      "Back up now",
    );
    this.element = h(
      "article",
      {},
      h("a", { class: "back", href: "#/" }, "← All databases"),
      h("div", { class: "head" }, this.#title, this.#backUpButton),
      this.#facts,
      this.#undo,
      this.#activity.element,
      this.#sections,
    );
    this.#sections.append(
      h("section", { class: "card" }, h("h2", {}, "Size over time"), this.#chart.element),
      h("section", { class: "card" }, h("h2", { id: "backups-title" }, "Backups"), this.#backups),
      this.#migrations,
    );
    this.#showUndo();
    document.addEventListener("visibilitychange", this.#refreshSoon);
    void this.#refresh();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#chart.close();
    document.removeEventListener("visibilitychange", this.#refreshSoon);
  }

  readonly #refreshSoon = () => {
    if (document.hidden || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#refresh());
  };

  /** Asks for everything, and again in a while: each second while something runs, and not while nobody looks. */
  async #refresh(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const [info, backups, jobs, migrations] = await Promise.all([
        this.#api.database(this.#uuid),
        this.#api.backups(this.#uuid),
        this.#api.jobs(this.#uuid),
        this.#api.migrations(this.#uuid),
      ]);
      this.#isFailing = false;
      if (this.#isClosed) return;
      this.#show(info, backups);
      this.#migrations.hidden = migrations.length === 0;
      swap(this.#migrations, migrationList(migrations));
      this.#showJobs(jobs);
    } catch (error) {
      if (!this.#isFailing && !this.#isClosed) complain("The database could not be read", error);
      this.#isFailing = true;
    }
    this.#again();
  }

  /** Only how far jobs are: all of it is asked for when one of them is over. */
  async #follow(): Promise<void> {
    const running = this.#jobs.filter((job) => !isOver(job)).map(({ id }) => id);
    try {
      const jobs = await this.#api.jobs(this.#uuid);
      if (this.#isClosed) return;
      this.#showJobs(jobs);
      if (jobs.some((job) => isOver(job) && running.includes(job.id))) return this.#refresh();
    } catch {
      return this.#refresh();
    }
    this.#again();
  }

  #again(busyMs = WHILE_BUSY): void {
    if (this.#isClosed || document.hidden) return;
    const isBusy = this.#changing > 0 || this.#jobs.some((job) => !isOver(job));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (isBusy ? this.#follow() : this.#refresh()), isBusy ? busyMs : WHILE_IDLE);
  }

  #show({ name, file_size, num_tables, created_at }: DatabaseInfo, backups: readonly Backup[]): void {
    this.#name = name;
    this.#sections.hidden = false;
    this.#backUpButton.disabled = !this.#api.mayWrite;
    this.#title.textContent = name;
    document.title = `${name} · Pagemark`;
    const [newest] = backups;
    const fact = (term: string, value: Node | string) => h("div", {}, h("dt", {}, term), h("dd", {}, value));
    swap(
      this.#facts,
      fact("Size", bytes(file_size)),
      fact("Tables", number(num_tables)),
      fact("Backups", number(backups.length)),
      fact("Last backup", newest ? exactTime(newest.created_at) : "none"),
      fact("Created", exactTime(created_at)),
    );
    this.#chart.show(backups);
    const { mayWrite } = this.#api;
    swap(
      this.#backups,
      backupTable(backups, {
        mayWrite,
        download: (backup) => this.#download(backup),
        restore: (backup) => this.#askToRestore(backup),
      }),
    );
  }

  #showJobs(jobs: readonly Job[]): void {
    this.#jobs = jobs;
    this.#activity.show(jobs, this.#transfers);
  }

  #showUndo(): void {
    const undo = undoOf(this.#uuid);
    const dismiss = () => this.#offer(undefined);
    swap(this.#undo, undo && this.#api.mayWrite && undoBanner(undo, () => this.#takeUndo(undo), dismiss));
  }

  #offer(undo: Undo | undefined): void {
    offerUndo(this.#uuid, undo);
    this.#showUndo();
    if (undo) announce(`${undo.done} ${undo.action} is offered.`);
  }

  async #backUp(): Promise<void> {
    this.#backUpButton.setAttribute("aria-busy", "true");
    await this.#change("The backup failed", () => this.#api.backUp(this.#uuid));
    this.#backUpButton.removeAttribute("aria-busy");
  }

  /** Who waits for the job is told by its request. */
  #cancel({ id }: Job): Promise<void> {
    return this.#change("It could not be canceled", () => this.#api.cancel(this.#uuid, id));
  }

  #askToRestore(backup: Backup): void {
    const { created_at } = backup;
    const restore = () => {
      // Where the progress is, and the undo will be.
      this.#title.focus();
      scrollTo(0, 0);
      return this.#change("The restore failed", async () => {
        const { previous_bookmark } = await this.#api.restore(this.#uuid, backup.id);
        this.#offer({ bookmark: previous_bookmark, done: restoredTo(created_at), action: "Undo" });
      });
    };
    openRestoreDialog({ api: this.#api, uuid: this.#uuid, database: this.#name, backup, restore });
  }

  #takeUndo({ bookmark, action }: Undo): Promise<void> {
    return this.#change(`${action} failed`, async () => {
      const { previous_bookmark } = await this.#api.goBack(this.#uuid, bookmark);
      const [done, next] =
        action === "Undo"
          ? (["The restore is undone.", "Redo"] as const)
          : (["The restore is done again.", "Undo"] as const);
      this.#offer({ bookmark: previous_bookmark, done, action: next });
    });
  }

  /** Does something, and follows the jobs that come of it. */
  async #change(failure: string, action: () => Promise<unknown>): Promise<void> {
    this.#changing++;
    this.#again(AT_FIRST);
    try {
      await action();
    } catch (error) {
      if (!wasCanceled(error)) complain(failure, error);
    } finally {
      this.#changing--;
      if (!this.#isClosed) await this.#refresh();
    }
  }

  async #download({ id, file_size }: Backup): Promise<void> {
    const name = `${this.#name}.${id.slice(0, 8)}.sqlite3`;
    let transfer: Transfer = { name, done: 0, total: file_size };
    const show = (next?: Transfer) => {
      this.#transfers = [...this.#transfers.filter((each) => each !== transfer), ...(next ? [next] : [])];
      transfer = next ?? transfer;
      if (!this.#isClosed) this.#activity.show(this.#jobs, this.#transfers);
    };
    show(transfer);
    try {
      const answer = await this.#api.download(this.#uuid, id);
      await save(answer, name, (done, total) => show({ name, done, total }));
      announce(`${name} is saved.`);
    } catch (error) {
      complain(`${name} could not be downloaded`, error);
    } finally {
      show();
    }
  }
}

/** The list of what ended lately says so. */
function wasCanceled(error: unknown): boolean {
  return error instanceof Refusal && error.message.endsWith(": CANCELED");
}
