// What callers hand over, other Workers and clients over HTTP alike: TypeScript has checked nothing of it.
import { z } from "@hono/zod-openapi";
import { DIALECTS } from "../dump/options.ts";
import type { SqlParameter } from "../engine/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { CreateOptions, Query } from "./options.ts";

/** A backup's id, or the first eight digits or more of it. */
export const ID = /^[0-9a-f]{8}(-[0-9a-f-]{0,27}|[0-9a-f]?)$/;

export const BOOKMARK = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/;

/** Names are shown in lists, and part of files and paths: nothing in them may hide, turn round or lead elsewhere. */
const NO_NAME =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800/\\]|^\.{0,2}$|^\p{White_Space}|\p{White_Space}$/u;
const LONGEST_NAME = 64;
/** In the store a name has nine bytes more, and 128 at most. */
const LONGEST_NAME_BYTES = 119;

/** @throws PagemarkError `NAME_INVALID` */
export function checkName(name: unknown): string {
  if (typeof name === "string" && [...name].length <= LONGEST_NAME && !NO_NAME.test(name)) {
    if (new TextEncoder().encode(name).length <= LONGEST_NAME_BYTES) return name;
  }
  const message =
    `the name of a database is 1 to ${LONGEST_NAME} characters, in UTF-8 at most ${LONGEST_NAME_BYTES} bytes; none of ` +
    "them /, \\, invisible or a control character, no space at its start or end, and not . or ..";
  throw new PagemarkError("NAME_INVALID", message);
}

/** Length of a message, in characters. */
const LONGEST_MESSAGE = 1000;

/** Nobody is sent back all that he sent. */
export function short(message: string): string {
  return message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE)}…`;
}

/** The most parameters that one statement takes in SQLite. */
const MOST_PARAMETERS = 32_766;
/** Where SQL is meant to go. */
export const SqlDialect = z.enum(DIALECTS);
/** Names of tables. */
export const Tables = z.array(z.string().max(256)).max(1000);

/** A statement whose parameters are as `params` says. */
export function statement<T extends z.ZodType<readonly unknown[]>>(params: T) {
  const few = params.refine(
    ({ length }) => length <= MOST_PARAMETERS,
    `params must be at most ${MOST_PARAMETERS} values, which is what SQLite takes`,
  );
  return z.object({ sql: z.string(), params: few.nullish() });
}

export const Text = z.string();
export const OptionalText = optional(Text);
/** What each of the parameters may be the engine says when it binds them. */
const Parameters = z.custom<readonly SqlParameter[]>(Array.isArray, "params must be an array");
const Queries = z.array(statement(Parameters));
const MOMENT = "a moment is a bookmark, a backup's id, or a time";
/** A moment: text or a date. */
export const At = z.union([z.string().min(1, MOMENT), z.date()], MOMENT);
const Flag = z.boolean().optional();
const Count = z.number().int().min(0);
const Range = z.union(
  [z.object({ suffix: Count }), z.object({ offset: Count, length: Count.optional() })],
  "a range has an offset, with a length or to the end, or a suffix: whole numbers from 0",
);
type Listener = NonNullable<CreateOptions["onProgress"]>;
const isFunction = (value: unknown) => typeof value === "function";

export const Create = z.object({
  full: Flag,
  tables: Tables.min(1).optional(),
  onProgress: z.custom<Listener>(isFunction, "onProgress must be a function").optional(),
});
/** No more than these: a misspelled `at` would restore the newest backup. */
export const Restore = z.strictObject({ at: At.optional(), safety: Flag });
/** The same; or under which name a new database is to be made of it. */
export const RestoreTo = Restore.extend({ to: OptionalText });
export const TableRestore = z.strictObject({
  tables: Tables.min(1),
  at: OptionalText,
  from: OptionalText,
  safety: Flag,
});
export const Download = z.object({ range: Range.optional() });
export const Dump = Download.extend({
  at: At.optional(),
  dialect: optional(SqlDialect),
  tables: Tables.optional(),
  noData: Flag,
  noSchema: Flag,
});

/** `null` is taken for nothing, as in what comes from JSON. */
function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** `value` as `schema` has it; `what` names it. @throws PagemarkError `USAGE` */
export function checked<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { message, path } = problemIn(result.error, value);
  throw new PagemarkError("USAGE", `${what}: ${message}${path.length > 0 ? ` (${path.join(".")})` : ""}`);
}

/** A list of statements with what is bound to them. @throws PagemarkError `USAGE` */
export function checkedQueries(value: unknown): Query[] {
  const queries = checked(Queries, value, "the statements");
  return queries.map(({ sql, params }) => ({ sql, params: params ?? undefined }));
}

type Issue = z.core.$ZodIssue;

interface Problem {
  message: string;
  /** Where it is. */
  path: PropertyKey[];
}

/** What is wrong first with `value`, which has not the form it should have. */
export function problemIn({ issues }: z.ZodError, value: unknown): Problem {
  return furthest(issues[0], value);
}

/** The problem with the form that it was most likely meant to have, of several. */
function furthest(issue: Issue | undefined, value: unknown): Problem & { isMissing: boolean } {
  if (!issue) return { message: "it does not have the right form", path: [], isMissing: true };
  const { message, path } = issue;
  const there = path.reduce<unknown>((parent, key) => Object(parent)[key], value);
  const isMissing = issue.code === "invalid_type" && there === undefined;
  if (issue.code !== "invalid_union") return { message, path, isMissing };
  const branches = issue.errors.map(([first]) => furthest(first, there));
  // A form whose fields are missing altogether is a worse guess than one whose fields are wrong.
  const [best] = branches.sort(
    (a, b) => b.path.length - a.path.length || Number(a.isMissing) - Number(b.isMissing),
  );
  return best && best.path.length > 0
    ? { ...best, path: [...path, ...best.path] }
    : { message, path, isMissing };
}
