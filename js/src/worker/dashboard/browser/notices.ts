// What is said to the user: errors until they are dismissed, and a word for screen readers.
import { byId, h } from "./dom.ts";

/** What went wrong, as the API said it. */
export function messageOf(error: unknown): string {
  // That is what fetch throws.
  return error instanceof TypeError ? "The Worker cannot be reached." : (error as Error).message;
}

/** Shows what went wrong until it is dismissed. */
export function complain(what: string, error: unknown): void {
  const dismiss = h(
    "button",
    { class: "quiet", "aria-label": "Dismiss", onclick: () => notice.remove() },
    "✕",
  );
  const text = h("p", {}, h("strong", {}, `${what}. `), messageOf(error));
  const notice: HTMLElement = h("div", { class: "notice" }, text, dismiss);
  byId("notices").append(notice);
}

export function clearNotices(): void {
  byId("notices").replaceChildren();
}

/** Tells screen readers, when they have a moment. */
export function announce(text: string): void {
  byId("status").textContent = text;
}
