// The page: who is signed in, and what the address shows.
import { Api, Refusal } from "./api.ts";
import { DatabaseList } from "./database-list.ts";
import { DatabaseView } from "./database-view.ts";
import { DeletedView } from "./deleted-view.ts";
import { byId, h, swap } from "./dom.ts";
import { clearNotices } from "./notices.ts";
import { signInForm } from "./sign-in.ts";

/** A view, until another one takes its place. */
interface View {
  element: HTMLElement;
  close(): void;
}

/** The token is kept here only: it goes with the tab. */
const KEY = "pagemark-token";

let api: Api | undefined;
let view: View | undefined;

addEventListener("hashchange", () => {
  if (api) show(api, true);
});
byId("skip").addEventListener("click", (event) => {
  // The address is what is shown, so that the link cannot change it.
  event.preventDefault();
  byId("main").focus();
});
await signIn(sessionStorage.getItem(KEY) ?? "").catch((error: unknown) => showForm(error as Error));

async function signIn(token: string): Promise<void> {
  if (token === "") return showForm();
  api = await Api.signIn(token);
  sessionStorage.setItem(KEY, token);
  swap(
    byId("session"),
    !api.mayWrite && h("span", { class: "badge", title: "This token may only read" }, "Read only"),
    h("button", { class: "quiet", onclick: signOut }, "Sign out"),
  );
  show(api, false);
}

function signOut(): void {
  sessionStorage.clear();
  api = undefined;
  view?.close();
  swap(byId("session"));
  clearNotices();
  showForm();
}

function showForm(error?: Error): void {
  // A token that is refused is none; one that could not be asked for may still be.
  if (error instanceof Refusal) sessionStorage.removeItem(KEY);
  document.title = "Sign in · Pagemark";
  swap(byId("main"), signInForm(signIn, error));
  byId("token").focus();
}

/** Shows what the address says: a database, or all of them. */
function show(api: Api, isMove: boolean): void {
  view?.close();
  clearNotices();
  const [, deleted, uuid] = /^#\/(deleted\/)?([0-9a-f-]{36})$/.exec(location.hash) ?? [];
  if (uuid === undefined) view = new DatabaseList(api);
  else view = deleted ? new DeletedView(api, uuid) : new DatabaseView(api, uuid);
  swap(byId("main"), view.element);
  if (!isMove) return;
  scrollTo(0, 0);
  // Who does not see the page hears what it is now.
  view.element.querySelector<HTMLElement>("h1")?.focus();
}
