import type { Backup } from "./api.ts";
import { h } from "./dom.ts";
import { bytes, exactTime, madeBy, number } from "./format.ts";

/** What the buttons of a backup do. */
export interface BackupActions {
  download(backup: Backup): unknown;
  restore(backup: Backup): unknown;
  /** Deletes it, of a database that is deleted: its backups are all done, which need not be said. */
  remove?(backup: Backup): unknown;
  mayWrite: boolean;
}

const COLUMNS = ["Created", "ID", "Tables", "Size", "Stored", "Kind", "Made", "State"];

/** The backups, newest first. On a phone each row is a block of its own: the roles keep it a table. */
export function backupTable(backups: readonly Backup[], actions: BackupActions): HTMLElement {
  if (backups.length === 0) return h("p", { class: "muted" }, "There is no backup yet.");
  const columns = actions.remove ? COLUMNS.slice(0, -1) : COLUMNS;
  const heads = columns.map((name) => h("th", { role: "columnheader", scope: "col" }, name));
  const last = h("th", { role: "columnheader", scope: "col" }, h("span", { class: "hidden" }, "Actions"));
  return h(
    "table",
    { role: "table", class: "backups", "aria-labelledby": "backups-title" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads, last)),
    h("tbody", { role: "rowgroup" }, ...backups.map((backup) => row(backup, actions))),
  );
}

function row(backup: Backup, actions: BackupActions): HTMLElement {
  const { id, created_at, num_tables, file_size, stored_size, kind, state, origin, partial } = backup;
  const short = id.slice(0, 8);
  const cell = (name: string, ...content: (Node | string)[]) =>
    h("td", { role: "cell", "data-label": name }, ...content);
  const button = (name: string, disabled: boolean, action: (backup: Backup) => unknown) =>
    h(
      "button",
      {
        id: `${name.toLowerCase()}-${id}`,
        "aria-label": `${name} backup ${short}`,
        disabled,
        onclick: () => action(backup),
      },
      name,
    );
  return h(
    "tr",
    { role: "row" },
    cell("Created", exactTime(created_at)),
    cell("ID", h("code", { title: id }, short)),
    cell("Tables", number(num_tables)),
    cell("Size", bytes(file_size)),
    cell("Stored", bytes(stored_size)),
    cell("Kind", partial ? `partial: ${partial.join(", ")}` : kind),
    cell("Made", h("span", { class: `origin ${origin ?? ""}` }, madeBy(origin))),
    ...(actions.remove ? [] : [cell("State", h("span", { class: `state ${state}` }, state))]),
    h(
      "td",
      { role: "cell", class: "actions" },
      h(
        "div",
        { class: "buttons" },
        button("Download", state !== "done", actions.download),
        button("Restore", state !== "done" || !actions.mayWrite || partial !== undefined, actions.restore),
        ...(actions.remove ? [button("Delete", !actions.mayWrite, actions.remove)] : []),
      ),
    ),
  );
}
