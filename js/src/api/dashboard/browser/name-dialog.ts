import { h } from "./dom.ts";
import { cancelButton, messageOf, openDialog } from "./notices.ts";

export interface NameRequest {
  title: string;
  /** Said before the field, if there is more to say. */
  text?: string;
  /** What the field holds at first. */
  name?: string;
  /** What the button says. */
  action: string;
  /** Makes the database of that name; gives its id. */
  make(name: string): Promise<string>;
}

/** Asks for the name of a new database, makes it, and goes there. */
export function openNameDialog({ title, text, name = "", action, make }: NameRequest): void {
  const input = h("input", {
    id: "new-name",
    required: true,
    maxlength: 64,
    autocomplete: "off",
    autofocus: true,
    value: name,
  });
  const problem = h("p", { class: "error", role: "alert" });
  const button = h("button", { class: "primary" }, action);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      const uuid = await make(input.value.trim());
      dialog.close();
      location.hash = `#/${uuid}`;
    } catch (error) {
      problem.textContent = messageOf(error);
    } finally {
      button.disabled = false;
    }
  }

  const dialog = openDialog(
    title,
    ...(text ? [h("p", {}, text)] : []),
    h(
      "form",
      { onsubmit: submit },
      h("label", { for: "new-name" }, "Name"),
      input,
      problem,
      h("div", { class: "buttons" }, cancelButton(), button),
    ),
  );
  input.focus();
}
