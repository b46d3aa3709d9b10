import { h } from "./dom.ts";
import { messageOf } from "./notices.ts";

/** Asks for a token until one is let in. */
export function signInForm(signIn: (token: string) => Promise<void>, error?: Error): HTMLElement {
  const input = h("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
    "aria-describedby": "token-help token-error",
  });
  const button = h("button", { class: "primary" }, "Sign in");
  const problem = h("p", { id: "token-error", class: "error", role: "alert" }, error && messageOf(error));

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      await signIn(input.value.trim());
    } catch (error) {
      problem.textContent = messageOf(error);
      input.setAttribute("aria-invalid", "true");
      input.select();
    } finally {
      button.disabled = false;
    }
  }

  return h(
    "form",
    { class: "sign-in card", onsubmit: submit },
    h("h1", { tabindex: -1 }, "Sign in"),
    // Password managers look for it.
    h("input", { autocomplete: "username", value: "pagemark", hidden: true, "aria-label": "User" }),
    h("label", { for: "token" }, "Access token"),
    input,
    h("p", { id: "token-help", class: "muted" }, "It stays in this tab and is gone when you close it."),
    problem,
    button,
  );
}
