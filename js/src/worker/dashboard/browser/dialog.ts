import { h } from "./dom.ts";

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
