import type { Api, OrphanedBackup } from "./api.ts";
import { save } from "./api.ts";
import { backupTable } from "./backup-table.ts";
import { h, swap } from "./dom.ts";
import { exactTime, moment, number } from "./format.ts";
import { openNameDialog } from "./name-dialog.ts";
import { announce, cancelButton, complain, openDialog } from "./notices.ts";

/** A database that was deleted: its backups, and what can be done with them. */
export class DeletedView {
  readonly element: HTMLElement;
  readonly #api: Api;
  readonly #uuid: string;
  readonly #title = h("h1", { tabindex: -1 }, "…");
  readonly #facts = h("dl", { class: "facts" });
  readonly #backups = h("div");
  #name = "";
  #isClosed = false;

  constructor(api: Api, uuid: string) {
    this.#api = api;
    this.#uuid = uuid;
    this.element = h(
      "article",
      {},
      h("a", { class: "back", href: "#/" }, "← All databases"),
      h("div", { class: "head" }, this.#title),
      this.#facts,
      h("section", { class: "card" }, h("h2", { id: "backups-title" }, "Backups"), this.#backups),
    );
    void this.#refresh();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #refresh(): Promise<void> {
    try {
      const all = await this.#api.orphanedBackups();
      if (!this.#isClosed) this.#show(all.filter(({ database_id }) => database_id === this.#uuid));
    } catch (error) {
      if (!this.#isClosed) complain("The backups could not be listed", error);
    }
  }

  #show(backups: readonly OrphanedBackup[]): void {
    const [newest] = backups;
    // The last one was deleted, and with it the database is forgotten.
    if (!newest) {
      location.hash = "#/";
      return;
    }
    this.#name = newest.database_name;
    this.#title.textContent = this.#name;
    document.title = `${this.#name} (deleted) · Pagemark`;
    const fact = (term: string, value: Node | string) => h("div", {}, h("dt", {}, term), h("dd", {}, value));
    swap(
      this.#facts,
      fact("Deleted", exactTime(newest.deleted_at)),
      fact("Backups", number(backups.length)),
      fact("Last backup", exactTime(newest.created_at)),
    );
    const { mayWrite } = this.#api;
    const table = backupTable(backups, {
      mayWrite,
      download: ({ id }) => this.#download(id),
      restore: (backup) => this.#restore(backup),
      remove: (backup) => this.#askToDelete(backup),
    });
    swap(this.#backups, table);
  }

  #restore({ id, created_at }: { id: string; created_at: string }): void {
    openNameDialog({
      title: `Restore ${this.#name}`,
      text: `A new database is made of the backup of ${moment(created_at)}. The backup stays.`,
      name: this.#name,
      action: "Restore",
      make: async (name) => (await this.#api.restoreToNew(this.#uuid, id, name)).database_id,
    });
  }

  #askToDelete({ id, created_at }: { id: string; created_at: string }): void {
    const submit = (event: Event) => {
      event.preventDefault();
      dialog.close();
      void this.#delete(id);
    };
    const dialog = openDialog(
      "Delete a backup",
      h("p", {}, "The backup of ", h("strong", {}, moment(created_at)), " cannot be restored any more then."),
      h(
        "form",
        { onsubmit: submit },
        h("div", { class: "buttons" }, cancelButton(), h("button", { class: "danger" }, "Delete")),
      ),
    );
  }

  async #delete(id: string): Promise<void> {
    try {
      await this.#api.deleteBackup(this.#uuid, id);
      announce("The backup is deleted.");
    } catch (error) {
      complain("The backup could not be deleted", error);
    }
    if (this.#isClosed) return;
    this.#title.focus();
    await this.#refresh();
  }

  async #download(id: string): Promise<void> {
    const name = `${this.#name}.${id.slice(0, 8)}.sqlite3`;
    try {
      await save(await this.#api.download(this.#uuid, id), name, () => {});
      announce(`${name} is saved.`);
    } catch (error) {
      complain(`${name} could not be downloaded`, error);
    }
  }
}
