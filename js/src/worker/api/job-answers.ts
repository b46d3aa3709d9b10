import type { Context } from "hono";
import type { Database } from "../database/object.ts";
import type { ExportOptions, JobFile, Told } from "../jobs/index.ts";
import type { ApiContext } from "./auth.ts";
import { ApiError } from "./envelope.ts";
import { urlOf } from "./signed-files.ts";

/** What a client reads of a job. */
type Shown = Record<string, unknown> & { status?: string };

/**
 * An export's answer with the link to its file: within `result`, where clients look, and beside it, where
 * Cloudflare's own example looks. `isOld` is for wrangler before 3.66, which reads `signedUrl`.
 */
export async function shownExport(
  c: Context<ApiContext>,
  { answer, file }: Told,
  isOld: boolean,
): Promise<Shown> {
  if (!answer?.success || !file) return { ...answer };
  const { filename } = file;
  const signed_url = await urlOf(c, "GET", file);
  const link = { filename, signed_url, ...(isOld && { signedUrl: signed_url }) };
  return { ...answer, ...link, result: link };
}

/** An import's answer, or where to upload to. */
export async function shownImport(c: Context<ApiContext>, { answer, file }: Told): Promise<Shown> {
  if (answer || !file) return { ...answer };
  const upload_url = await urlOf(c, "PUT", file);
  // Before 3.66 wrangler reads the second one.
  return { upload_url, uploadUrl: upload_url, filename: file.filename };
}

/** Of the object, what is needed of it. */
type Exporter = Pick<DurableObjectStub<Database>, "export">;

/** Exports in one request, for wrangler before 3.51, which does not poll. */
export async function exportToFile(
  c: Context<ApiContext>,
  object: Exporter,
  options: ExportOptions | undefined,
): Promise<{ signedUrl: string }> {
  let told: Told = await object.export({ options });
  while (told.answer?.success && told.answer.status === "active") {
    c.req.raw.signal.throwIfAborted();
    told = await object.export({ bookmark: told.answer.at_bookmark, options });
  }
  const { answer, file } = told;
  if (file) return { signedUrl: await urlOf(c, "GET", file as JobFile) };
  throw new ApiError(400, 7500, answer?.error ?? "the export failed");
}
