// ORMs and adapters made for D1, unmodified: what they do over the binding is what they do on D1.
import { expect, test } from "vitest";
import { callerOf } from "./d1/bundled.ts";
import { TestWorker } from "./worker.ts";

const worker = new TestWorker({}, async () => [
  await callerOf("caller", "orm-caller.ts", {
    compatibilityFlags: ["nodejs_compat"],
    d1Databases: { REAL: "real" },
  }),
]);

/** Without ids that are random, and times that are measured. */
async function flow(which: string, orm: string): Promise<unknown> {
  const answer = await fetch(`${worker.callerUrl("caller")}/${which}/${orm}`);
  const text = await answer.text();
  expect(answer.status, `${which} ${text}`).toBe(200);
  return JSON.parse(text, (name, value) => {
    if (["duration", "size_after", "served_by", "timings"].includes(name)) return typeof value;
    return typeof value === "string"
      ? value.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>")
      : value;
  });
}

test.each(["drizzle", "kysely", "prisma", "auth"])(
  "%s does the same over the binding as on D1",
  async (orm) => {
    const real = await flow("real", orm);
    expect(JSON.stringify(real).length).toBeGreaterThan(300);
    expect(await flow("ours", orm)).toEqual(real);
  },
);
