import { PagemarkError } from "../errors/index.ts";

/** What stands for a function that works with files of the system, in a runtime that has none. */
export function needsFiles(name: string, instead: string): () => never {
  return () => {
    const message = `${name}() needs Node, Deno or Bun, and this is 'pagemark' for browsers and Workers: ${instead}`;
    throw new PagemarkError("RUNTIME_UNSUPPORTED", message);
  };
}
