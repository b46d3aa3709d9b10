import type { Api, Backup, Preview, TableChange } from "./api.ts";
import { h, swap } from "./dom.ts";
import { counted, moment, number } from "./format.ts";
import { cancelButton, messageOf, openDialog } from "./notices.ts";

export interface RestoreRequest {
  api: Api;
  uuid: string;
  database: string;
  backup: Backup;
  /** Called when the user has seen the preview and wants it. */
  restore(): unknown;
}

/** Shows what a restore would change, and asks. */
export function openRestoreDialog({ api, uuid, database, backup, restore }: RestoreRequest): void {
  const button = h("button", { class: "danger", disabled: true }, "Restore");
  const preview = h(
    "div",
    { class: "preview", role: "status" },
    h("p", { class: "muted" }, "Comparing the backup with the database…"),
    h("progress", { "aria-label": "Comparing" }),
  );

  function submit(event: Event): void {
    event.preventDefault();
    // The focus goes back to the backup's button with the event, which comes later; what `restore` does comes last.
    dialog.addEventListener("close", () => restore(), { once: true });
    dialog.close();
  }

  const dialog = openDialog(
    `Restore ${database}`,
    h("p", {}, "to the backup of ", h("strong", {}, moment(backup.created_at)), "."),
    preview,
    h(
      "p",
      { class: "muted" },
      "What the database holds now is backed up first, and the restore can be undone. Queries wait until it is done.",
    ),
    h("form", { onsubmit: submit }, h("div", { class: "buttons" }, cancelButton(), button)),
  );
  dialog.classList.add("wide");
  api.preview(uuid, backup.id).then(
    (found) => {
      swap(preview, ...show(found));
      button.disabled = false;
    },
    (error: unknown) =>
      swap(preview, h("p", { class: "error" }, `The backup could not be compared. ${messageOf(error)}`)),
  );
}

const GROUPS = [
  ["vanish", "vanishes", "vanish"],
  ["come", "comes back", "come back"],
  ["changed", "changes", "change"],
  ["unchanged", "stays as it is", "stay as they are"],
] as const;

function show({ tables, compared, unreadable }: Preview): HTMLElement[] {
  const vanish = tables.filter(({ change }) => change === "vanish");
  const warning = h(
    "p",
    { class: "warning" },
    h("strong", {}, `${counted(vanish.length, "table")} will vanish: `),
    vanish.map(({ name }) => name).join(", "),
    `. Queries that rely on ${vanish.length === 1 ? "it" : "them"} will fail.`,
  );
  const heads = ["Table", "Rows now", "Then", "Change"].map((name) =>
    h("th", { role: "columnheader", scope: "col" }, name),
  );
  const list = h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Changes to the tables" },
    h(
      "table",
      { role: "table" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
      h("tbody", { role: "rowgroup" }, ...tables.map(row)),
    ),
  );
  return [
    ...(vanish.length > 0 ? [warning] : []),
    ...(tables.length > 0
      ? [h("p", { class: "muted" }, summary(tables)), list]
      : [h("p", { class: "muted" }, "Neither has any tables.")]),
    ...(unreadable === undefined
      ? []
      : [
          h(
            "p",
            { class: "warning" },
            `What is there now cannot be read, and is replaced whole: ${unreadable}`,
          ),
        ]),
    ...(compared
      ? []
      : [h("p", { class: "muted" }, "The contents were not compared: that takes too long for its size.")]),
  ];
}

/** 12 tables: 1 vanishes, 3 change, 8 stay as they are */
function summary(tables: readonly TableChange[]): string {
  const parts = GROUPS.map(([change, one, several]) => {
    const count = tables.filter((table) => table.change === change).length;
    return count === 0 ? "" : `${number(count)} ${count === 1 ? one : several}`;
  });
  return `${counted(tables.length, "table")}: ${parts.filter(Boolean).join(", ")}.`;
}

function row(table: TableChange): HTMLElement {
  const rows = (count: number | null) => (count === null ? "–" : number(count));
  const cell = (name: string, text: string) => h("td", { role: "cell", "data-label": name }, text);
  return h(
    "tr",
    { role: "row", class: table.change },
    h("th", { role: "rowheader", scope: "row" }, table.name),
    cell("Rows now", rows(table.rows_now)),
    cell("then", rows(table.rows_then)),
    cell("Change", effect(table)),
  );
}

function effect({ change, rows, redefined }: TableChange): string {
  if (change === "vanish") return "vanishes";
  if (change === "come") return "comes back";
  if (change === "unchanged") return "unchanged";
  const { back, gone, updated } = rows ?? { back: 0, gone: 0, updated: 0 };
  const parts = [
    updated > 0 && `${number(updated)} overwritten`,
    gone > 0 && `${number(gone)} removed`,
    back > 0 && `${number(back)} put back`,
    redefined && "defined otherwise",
  ].filter((part) => part !== false);
  return parts.length === 0 ? "changed" : `changed: ${parts.join(", ")}`;
}
