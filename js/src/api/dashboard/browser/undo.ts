// The ways back: of the last restore of a database, and of migrations.
import type { Migration } from "./api.ts";
import { h } from "./dom.ts";
import { exactTime, moment } from "./format.ts";

/** What is offered after a restore. */
export interface Undo {
  /** Going back to it undoes the restore. */
  bookmark: string;
  /** What was done, as a sentence. */
  done: string;
  /** What the button says. */
  action: "Undo" | "Redo";
}

const key = (uuid: string) => `pagemark-undo-${uuid}`;

/** Also after a reload of the page: it is in the tab's storage. */
export function undoOf(uuid: string): Undo | undefined {
  const text = sessionStorage.getItem(key(uuid));
  return text === null ? undefined : (JSON.parse(text) as Undo);
}

export function offerUndo(uuid: string, undo: Undo | undefined): void {
  if (undo) sessionStorage.setItem(key(uuid), JSON.stringify(undo));
  else sessionStorage.removeItem(key(uuid));
}

export function restoredTo(createdAt: string): string {
  return `Restored to the backup of ${moment(createdAt)}.`;
}

/** The offer, with the bookmark for who wants to keep it. */
export function undoBanner(
  { bookmark, done, action }: Undo,
  take: () => unknown,
  dismiss: () => unknown,
): HTMLElement {
  return h(
    "div",
    { class: "undo card" },
    h(
      "p",
      {},
      h("strong", {}, done),
      h("span", { class: "muted" }, " For a day this bookmark leads back: ", h("code", {}, bookmark)),
    ),
    h(
      "div",
      { class: "buttons" },
      h("button", { id: "undo", class: "primary", onclick: take }, action),
      h("button", { id: "undo-dismiss", onclick: dismiss }, "Dismiss"),
    ),
  );
}

/** So many are shown. */
const MOST_MIGRATIONS = 20;

/** What was applied when, and the bookmark that leads back to before it. */
export function migrationList(migrations: readonly Migration[]): HTMLElement {
  const shown = migrations.slice(0, MOST_MIGRATIONS);
  return h(
    "div",
    { class: "migrations" },
    h("h2", {}, "Before migrations"),
    h(
      "p",
      { class: "muted" },
      "Restoring a bookmark undoes the migration and all that came after: ",
      h("code", {}, "wrangler d1 time-travel restore --bookmark …"),
    ),
    h("ul", {}, ...shown.map(item)),
  );
}

function item({ migration, created_at, bookmark, messages = [] }: Migration): HTMLElement {
  return h(
    "li",
    {},
    h("strong", {}, migration),
    h("span", { class: "muted" }, ` ${exactTime(created_at)} `),
    h("code", {}, bookmark),
    ...messages.map((message) => h("div", { class: "muted" }, message)),
  );
}
