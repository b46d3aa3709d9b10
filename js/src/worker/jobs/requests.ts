/** Of an export, in one form for all ways to say the same. */
export interface ExportOptions {
  /** Sorted, each once; none for all. */
  tables: string[];
  noData: boolean;
  noSchema: boolean;
  compatibility: "d1" | "sqlite3_cli_only";
}

/** The options as they are compared and remembered. */
export function exportOptions(
  given: { [Name in keyof ExportOptions]?: ExportOptions[Name] | undefined },
): ExportOptions {
  const { tables = [], noData = false, noSchema = false, compatibility = "d1" } = given;
  return { tables: [...new Set(tables)].sort(), noData, noSchema, compatibility };
}

/** Begins an export, or with the bookmark of one polls it. */
export interface ExportRequest {
  bookmark?: string | undefined;
  /** Of a poll: they tell apart two exports of one state. */
  options?: ExportOptions | undefined;
  /** Who may only read has fewer of them. */
  readonly?: boolean | undefined;
}

/** What clients do one after the other. */
export type ImportRequest =
  /** Where to upload a file to, by its MD5. */
  | { action: "init"; etag?: string | undefined }
  /** Begins to import what was uploaded. */
  | { action: "ingest"; filename: string; etag?: string | undefined }
  | { action: "poll"; bookmark?: string | undefined };
