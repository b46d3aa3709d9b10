// What is said to the user: errors until they are dismissed, a word for screen readers, and dialogs.
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

/** A modal dialog that is gone when it is closed; Escape closes it, and the focus goes back to where it was. */
export function openDialog(title: string, ...children: (Node | string)[]): HTMLDialogElement {
  const opener = document.activeElement?.id ?? "";
  const close = () => {
    dialog.remove();
    // What was there may have been drawn anew meanwhile.
    if (opener !== "") document.getElementById(opener)?.focus();
  };
  const dialog: HTMLDialogElement = h(
    "dialog",
    { "aria-labelledby": "dialog-title", onclose: close },
    h("h2", { id: "dialog-title", class: "title" }, title),
    ...children,
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function cancelButton(): HTMLButtonElement {
  const close = () => button.closest("dialog")?.close();
  const button: HTMLButtonElement = h(
    "button",
    { type: "button", autofocus: true, onclick: close },
    "Cancel",
  );
  return button;
}
