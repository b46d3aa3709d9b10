import type { PageSource } from "pagemark";
import { moments } from "./moments.ts";
import { pages } from "./pages.ts";
import { refusals } from "./refusals.ts";
import { replaces } from "./replaces.ts";

/** A sentence that is true of every source of `image`, and what shows it. */
export type Case = readonly [
  title: string,
  image: () => Uint8Array<ArrayBuffer>,
  run: (source: PageSource, image: Uint8Array) => Promise<void>,
];

export const sourceCases: Case[] = [...pages, ...moments, ...refusals, ...replaces];
