import type { Api } from "./api.ts";
import { cancelButton, openDialog } from "./dialog.ts";
import { h } from "./dom.ts";
import { messageOf } from "./notices.ts";

/** Asks for a name, makes the database, and goes there. */
export function openCreateDialog(api: Api): void {
  const input = h("input", {
    id: "new-name",
    required: true,
    maxlength: 64,
    autocomplete: "off",
    autofocus: true,
  });
  const problem = h("p", { class: "error", role: "alert" });
  const button = h("button", { class: "primary" }, "Create");

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      const { uuid } = await api.create(input.value.trim());
      dialog.close();
      location.hash = `#/${uuid}`;
    } catch (error) {
      problem.textContent = messageOf(error);
    } finally {
      button.disabled = false;
    }
  }

  const dialog = openDialog(
    "Create a database",
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
