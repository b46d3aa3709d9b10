import { expect } from "vitest";
import { OUTPUTS } from "../../js/src/cli/schemas.ts";

/** Expects what a command printed with `--json` to be what its published schema says, and to have no key that it does not name. */
export function expectOutput(name: string, printed: string): void {
  const { each, schema } = OUTPUTS[name] ?? {};
  for (const value of each === "line" ? printed.trim().split("\n") : [printed]) {
    const { error } = schema?.safeParse(JSON.parse(value)) ?? {};
    expect(error?.message, `${name}: ${value}`).toBeUndefined();
  }
}
