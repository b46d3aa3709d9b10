import { PagemarkError } from "./pagemark-error.ts";

type Kind = readonly [what: string, fits: (value: unknown) => boolean];

const FLAG: Kind = ["true or false", (value) => typeof value === "boolean"];
const CALL: Kind = ["a function", (value) => typeof value === "function"];
const TEXT: Kind = ["text", (value) => typeof value === "string"];
const TEXTS: Kind = [
  "a list of names",
  (value) => Array.isArray(value) && value.every((each) => typeof each === "string"),
];
/** As `fetch` takes it. */
const SIGNAL: Kind = [
  "an AbortSignal",
  (value) => value === null || typeof (value as Partial<AbortSignal>)?.throwIfAborted === "function",
];
const SIZE: Kind = ["a number, 0 or more", (value) => typeof value === "number" && value >= 0];

/** What an option of a name must be, whichever method it is of; the others are looked at where they are used. */
const OPTIONS: Readonly<Record<string, Kind>> = {
  signal: SIGNAL,
  onProgress: CALL,
  onWarning: CALL,
  pause: CALL,
  tables: TEXTS,
  as: TEXT,
  dialect: TEXT,
  name: TEXT,
  note: TEXT,
  tag: TEXT,
  budget: SIZE,
  busyTimeoutMs: SIZE,
  cacheSize: SIZE,
  leaseMs: SIZE,
  lockMs: SIZE,
  maxBytes: SIZE,
  maxMs: SIZE,
  memoryLimit: SIZE,
  most: SIZE,
  spillAfter: SIZE,
  automatic: FLAG,
  drop: FLAG,
  dryRun: FLAG,
  foreignKeys: FLAG,
  freePages: FLAG,
  full: FLAG,
  gzip: FLAG,
  hurry: FLAG,
  isProved: FLAG,
  keepManual: FLAG,
  keepTagged: FLAG,
  noData: FLAG,
  noSchema: FLAG,
  ownsChunks: FLAG,
  readOnly: FLAG,
  replace: FLAG,
  safety: FLAG,
  salvage: FLAG,
  sameDatabase: FLAG,
  verify: FLAG,
};

/**
 * Refuses what callers without types pass as options: something else than an object, or an option that would be taken for
 * another value than was meant. Returns them.
 *
 * @throws PagemarkError `USAGE`
 */
export function checkOptions<Options>(options: Options): Options {
  if (options === undefined) return options;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw wrongType("an object such as { signal }", options, "options");
  }
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (value === undefined || !kind) continue;
    const [wanted, fits] = kind;
    if (!fits(value)) throw wrongType(wanted, value, name);
  }
  return options;
}

/**
 * As {@link checkOptions}, where an option that nobody knows does harm: of a misspelled `at` the newest backup is restored, of
 * a misspelled rule more is pruned.
 *
 * @param known every option that there is
 * @throws PagemarkError `USAGE`
 */
export function checkOnly<Options extends object>(
  options: Options,
  known: Readonly<Record<keyof Required<Options>, true>>,
): Options {
  for (const name of Object.keys(checkOptions(options) ?? {})) {
    if (Object.hasOwn(known, name)) continue;
    const all = Object.keys(known).join(", ");
    throw new PagemarkError(
      "USAGE",
      `there is no option ${JSON.stringify(name.slice(0, 64))}; there are ${all}`,
    );
  }
  return options;
}

/** As {@link checkOptions}, of options that must be given. @throws PagemarkError `USAGE` */
export function checkGiven<Options>(options: Options, wanted: string): Options {
  if (options === undefined) throw wrongType(wanted, options, "options");
  return checkOptions(options);
}

/** Refuses what lacks the method that makes it what it should be. @throws PagemarkError `USAGE` */
export function checkHas(method: string, value: unknown, name: string, wanted: string): void {
  if (typeof (value as Record<string, unknown> | null | undefined)?.[method] === "function") return;
  throw wrongType(wanted, value, name);
}

/** Refuses what is no function. @throws PagemarkError `USAGE` */
export function checkCall(value: unknown, name: string): void {
  if (typeof value !== "function") throw wrongType("a function", value, name);
}

/** Refuses what is no list. @throws PagemarkError `USAGE` */
export function checkList(value: unknown, name?: string): void {
  if (!Array.isArray(value)) throw wrongType("a list", value, name);
}

/** Refuses an argument that is no text. @throws PagemarkError `USAGE` */
export function checkText(value: unknown, name?: string): asserts value is string {
  if (typeof value !== "string") throw wrongType("text", value, name);
}

/** What is said of an argument of a wrong type: never its value, which may be large or a secret. */
export function wrongType(wanted: string, value: unknown, name = "an argument"): PagemarkError {
  return new PagemarkError("USAGE", `${name} must be ${wanted}, not ${kindOf(value)}`);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `a ${typeof value}`;
}
