import type { Api, Backup, Preview, TableChange } from "./api.ts";
import { cancelButton, openDialog } from "./dialog.ts";
import { h, swap } from "./dom.ts";
import { counted, moment, number } from "./format.ts";
import { messageOf } from "./notices.ts";

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

const ORDER = { vanish: 0, come: 1, stay: 2 };

function show({ tables, counted: isCounted }: Preview): HTMLElement[] {
  const vanish = tables.filter(({ change }) => change === "vanish");
  const sorted = tables.toSorted(
    (a, b) => ORDER[a.change] - ORDER[b.change] || Number(isSame(a)) - Number(isSame(b)),
  );
  const warning = h(
    "p",
    { class: "warning" },
    h("strong", {}, `${counted(vanish.length, "table")} will vanish: `),
    vanish.map(({ name }) => name).join(", "),
    `. Queries that rely on ${vanish.length === 1 ? "it" : "them"} will fail.`,
  );
  const heads = ["Table", "Rows now", "Then", "Change"].map((name) => h("th", { scope: "col" }, name));
  const table = h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Changes to the tables" },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...sorted.map(row))),
  );
  return [
    ...(vanish.length > 0 ? [warning] : []),
    tables.length > 0 ? table : h("p", { class: "muted" }, "Neither has any tables."),
    ...(isCounted
      ? []
      : [h("p", { class: "muted" }, "The rows were not counted: that takes too long for its size.")]),
  ];
}

function row(table: TableChange): HTMLElement {
  const rows = (count: number | null) => (count === null ? "–" : number(count));
  return h(
    "tr",
    { class: table.change },
    h("th", { scope: "row" }, table.name),
    h("td", {}, rows(table.rows_now)),
    h("td", {}, rows(table.rows_then)),
    h("td", {}, effect(table)),
  );
}

function effect({ change, rows_now, rows_then }: TableChange): string {
  if (change === "vanish") return "vanishes";
  if (change === "come") return "returns";
  if (rows_now === null || rows_then === null) return "goes back";
  const delta = rows_then - rows_now;
  if (delta === 0) return "same";
  return delta > 0 ? `+${number(delta)}` : `−${number(-delta)}`;
}

function isSame({ change, rows_now, rows_then }: TableChange): boolean {
  return change === "stay" && rows_now === rows_then;
}
