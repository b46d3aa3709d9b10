import type { z } from "@hono/zod-openapi";
import { ApiError } from "./envelope.ts";

type Issue = z.core.$ZodIssue;

/** The refusal of a request that has not the form it should have: what is wrong first, and where. */
export function invalid({ issues }: z.ZodError): ApiError {
  const { message, path } = furthest(issues[0]);
  const at = path.length > 0 ? ` (${path.join(".")})` : "";
  const pointer = path.map((each) => `/${String(each).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  return new ApiError(400, 7400, `Invalid request: ${message}${at}`, pointer);
}

/** Of several forms that it might have had, the one that it was most likely meant to have. */
function furthest(issue: Issue | undefined): { message: string; path: PropertyKey[]; isMissing: boolean } {
  if (!issue) return { message: "it does not have the right form", path: [], isMissing: true };
  const { message, path } = issue;
  const isMissing = issue.code === "invalid_type" && /received undefined/.test(message);
  if (issue.code !== "invalid_union") return { message, path, isMissing };
  const branches = issue.errors.map(([first]) => furthest(first));
  // Of a form whose fields are not there at all, less is said than of one whose fields are wrong.
  const [best] = branches.sort(
    (a, b) => b.path.length - a.path.length || Number(a.isMissing) - Number(b.isMissing),
  );
  return best && best.path.length > 0
    ? { ...best, path: [...path, ...best.path] }
    : { message, path, isMissing };
}
