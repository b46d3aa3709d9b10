// The types of scripts/lib/component.mjs.
declare module "*/scripts/lib/component.mjs" {
  /** The built components: names and paths of their files. */
  export const components: readonly { name: string; file: string; path: string }[];
  /** What a component imports: names of interfaces. */
  export function componentImports(bytes: Uint8Array): string[];
}
