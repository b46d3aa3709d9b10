// A defect of the core or the engine that stops the wasm comes out as an error of the package, and never as a bare trap.

import { PagemarkError } from "pagemark";
import { expect, test } from "vitest";
import { core } from "../../js/dist/core/index.js";

const INTERNAL = { code: "INTERNAL", message: expect.stringContaining("please report it") };

test("a trap has a code, and so has what fails because of it", async () => {
  const { Restore, Sha256 } = await core();
  const restore = new Restore(1, false);
  const sound = new Sha256();
  // Far outside of the module's memory.
  const broken = Object.assign(Object.create(Restore.prototype), {
    __wbg_ptr: 0x7fff_fff0,
  }) as typeof restore;
  let trap: unknown;
  try {
    broken.poll();
  } catch (error) {
    trap = error;
  }
  expect(trap).toBeInstanceOf(PagemarkError);
  expect(trap).toMatchObject({ ...INTERNAL, cause: expect.any(WebAssembly.RuntimeError) });
  // What the trap left behind can neither be used nor freed; whoever cleans up hears nothing of it.
  expect(() => broken.free()).not.toThrow();
  restore.free();
  sound.update(new Uint8Array(3));
  expect(sound.digest()).toMatch(/^[0-9a-f]{64}$/);
});

test("errors of the core are the package's own where they are thrown", async () => {
  const { nameToSegment } = await core();
  expect(() => nameToSegment("a/b")).toThrow(PagemarkError);
  expect(() => nameToSegment("a/b")).toThrow(
    expect.objectContaining({ code: "NAME_INVALID", at: { offset: 1 } }),
  );
});
