// The types of scripts/lib/component.mjs.
declare module "*/scripts/lib/component.mjs" {
  /** Path of the built component. */
  export const componentFile: string;
  /** What a component imports: names of interfaces. */
  export function componentImports(bytes: Uint8Array): string[];
}
