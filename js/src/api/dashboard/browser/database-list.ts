import type { Api, DatabaseInfo, OrphanedBackup } from "./api.ts";
import { h, swap } from "./dom.ts";
import { bytes, counted, exactly, madeBy, timeElement } from "./format.ts";
import { openNameDialog } from "./name-dialog.ts";
import { complain } from "./notices.ts";

/** With so many databases there is a field to look for one. */
const MANY = 8;

/** All databases. */
export class DatabaseList {
  readonly element: HTMLElement;
  readonly #list = h("ul", { class: "databases" });
  readonly #deleted = h("section", { hidden: true });
  #all: readonly DatabaseInfo[] = [];

  constructor(api: Api) {
    document.title = "Databases · Pagemark";
    const button = h(
      "button",
      { class: "primary", disabled: !api.mayWrite, onclick: () => create(api) },
      "Create database",
    );
    const head = h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Databases"), button);
    const search: HTMLInputElement = h("input", {
      type: "search",
      placeholder: "Find a database",
      "aria-label": "Find a database",
      hidden: true,
      oninput: () => this.#show(search.value),
    });
    this.element = h("div", {}, head, search, this.#list, this.#deleted);
    swap(this.#list, h("li", { class: "empty muted" }, "Loading…"));
    api.databases().then(
      (all) => {
        this.#all = all.sort((a, b) => a.name.localeCompare(b.name));
        search.hidden = all.length < MANY;
        this.#show("");
      },
      (error: unknown) => complain("The databases could not be listed", error),
    );
    api.orphanedBackups().then(
      (backups) => this.#showDeleted(backups),
      (error: unknown) => complain("The backups of deleted databases could not be listed", error),
    );
  }

  close(): void {}

  #showDeleted(backups: readonly OrphanedBackup[]): void {
    const groups = Map.groupBy(backups, ({ database_id }) => database_id);
    const rows = [...groups.values()].map((each) => deletedRow(each as [OrphanedBackup]));
    this.#deleted.hidden = rows.length === 0;
    swap(
      this.#deleted,
      h("h2", { class: "later" }, "Deleted, with backups"),
      h("ul", { class: "databases" }, ...rows),
    );
  }

  #show(text: string): void {
    const found = this.#all.filter(({ name }) => name.toLowerCase().includes(text.trim().toLowerCase()));
    const none = this.#all.length === 0 ? "There is no database yet." : "No database has that in its name.";
    swap(this.#list, ...(found.length > 0 ? found.map(row) : [h("li", { class: "empty muted" }, none)]));
  }
}

function create(api: Api): void {
  openNameDialog({
    title: "Create a database",
    action: "Create",
    make: async (name) => (await api.create(name)).uuid,
  });
}

/** A deleted database, by its newest backup. */
function deletedRow([newest, ...older]: [OrphanedBackup, ...OrphanedBackup[]]): HTMLElement {
  const { database_id, database_name, file_size, deleted_at } = newest;
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#/deleted/${database_id}` },
      h("strong", { class: "name" }, database_name),
      h("span", {}, bytes(file_size)),
      h("span", { class: "muted" }, counted(1 + older.length, "backup")),
      h("span", { class: "muted" }, "deleted ", timeElement(deleted_at)),
    ),
  );
}

function row({ uuid, name, file_size, num_tables, ...last }: DatabaseInfo): HTMLElement {
  const { last_backup_at, last_backup_origin } = last;
  const backup = last_backup_at
    ? ["backed up ", timeElement(last_backup_at), `, ${madeBy(last_backup_origin)} `, exactly(last_backup_at)]
    : ["no backup yet"];
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#/${uuid}` },
      h("strong", { class: "name" }, name),
      h("span", {}, bytes(file_size)),
      h("span", { class: "muted" }, counted(num_tables, "table")),
      h("span", { class: "muted" }, ...backup),
    ),
  );
}
