// The Worker's API, as the page uses it.

export interface DatabaseInfo {
  uuid: string;
  name: string;
  created_at: string;
  num_tables: number;
  /** In bytes. */
  file_size: number;
  /** Missing where there is none. */
  last_backup_at?: string;
  last_backup_origin?: Origin;
}

export interface Backup {
  id: string;
  created_at: string;
  state: string;
  num_tables: number;
  file_size: number;
  /** What was stored for it, in bytes. */
  stored_size: number;
  kind: string;
  bookmark: string;
  origin?: Origin;
  /** The only tables that it holds. */
  partial?: string[];
}

/** A backup of a database that was deleted. */
export interface OrphanedBackup extends Backup {
  database_id: string;
  database_name: string;
  deleted_at: string;
}

/** Who wanted a backup: a person, the schedule, or a restore that then replaced the database. */
export type Origin = "manual" | "scheduled" | "automatic" | "restore";

export interface Job {
  id: string;
  kind: "backup" | "restore" | "export" | "import";
  state: "pending" | "running" | "canceling" | "done" | "failed" | "canceled";
  phase: string;
  done: number;
  total: number;
  started_at: string;
  updated_at: string;
  error?: { code: string; message: string };
  /** Which tables of a restored backup have a damaged page. */
  warnings?: string[];
}

export interface TableChange {
  name: string;
  change: "vanish" | "come" | "changed" | "unchanged";
  /** `null` where they were not counted. */
  rows_now: number | null;
  rows_then: number | null;
  /** How the rows of a table that both have differ. */
  rows: { back: number; gone: number; updated: number } | null;
  /** Whether it is defined in other words. */
  redefined: boolean;
}

export interface Preview {
  created_at: string;
  tables: TableChange[];
  /** Whether contents were compared. */
  compared: boolean;
  unreadable?: string;
}

/** The state before a migration. */
export interface Migration {
  bookmark: string;
  migration: string;
  created_at: string;
  messages?: string[];
}

export interface Restored {
  bookmark: string;
  previous_bookmark: string;
}

interface Envelope<T> {
  success: boolean;
  result: T;
  errors: { code: number; message: string }[];
  result_info?: { total_count: number };
}

/** What the API refused, in its own words. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const BASE = "/client/v4";
const PER_PAGE = 1000;
const DELETED_PER_PAGE = 100;

export class Api {
  readonly #token: string;
  readonly #account: string;
  readonly mayWrite: boolean;

  /** @throws Refusal when the token is not known */
  static async signIn(token: string): Promise<Api> {
    const [accounts, { scope }] = await Promise.all([
      request<{ id: string }[]>(token, "GET", "/accounts"),
      request<{ scope: string }>(token, "GET", "/user/tokens/verify"),
    ]);
    return new Api(token, accounts[0]?.id ?? "pagemark", scope === "admin");
  }

  private constructor(token: string, account: string, mayWrite: boolean) {
    this.#token = token;
    this.#account = account;
    this.mayWrite = mayWrite;
  }

  async databases(): Promise<DatabaseInfo[]> {
    const all: DatabaseInfo[] = [];
    for (let page = 1; all.length === (page - 1) * PER_PAGE; page++) {
      all.push(...(await this.#call<DatabaseInfo[]>("GET", `?page=${page}&per_page=${PER_PAGE}`)));
    }
    return all;
  }

  /** Newest first of each database; the one that was deleted last first. */
  async orphanedBackups(): Promise<OrphanedBackup[]> {
    const all: OrphanedBackup[] = [];
    for (let page = 1, left = true; left; page++) {
      const path = `/accounts/${this.#account}/d1/backups?orphaned&page=${page}&per_page=${DELETED_PER_PAGE}`;
      const { result, result_info } = await unwrap<OrphanedBackup[]>(await send(this.#token, "GET", path));
      all.push(...result);
      left = page * DELETED_PER_PAGE < (result_info?.total_count ?? 0);
    }
    return all;
  }

  create(name: string): Promise<DatabaseInfo> {
    return this.#call("POST", "", { name });
  }

  database(uuid: string): Promise<DatabaseInfo> {
    return this.#call("GET", `/${uuid}`);
  }

  /** Newest first. */
  backups(uuid: string): Promise<Backup[]> {
    return this.#call("GET", `/${uuid}/backup`);
  }

  /** Newest first: what is under way, and what ended during the last day. */
  jobs(uuid: string): Promise<Job[]> {
    return this.#call("GET", `/${uuid}/jobs`);
  }

  cancel(uuid: string, job: string): Promise<null> {
    return this.#call("DELETE", `/${uuid}/jobs/${job}`);
  }

  backUp(uuid: string): Promise<Backup> {
    return this.#call("POST", `/${uuid}/backup`);
  }

  preview(uuid: string, backup: string): Promise<Preview> {
    return this.#call("GET", `/${uuid}/backup/${backup}/preview`);
  }

  restore(uuid: string, backup: string): Promise<Restored> {
    return this.#call("POST", `/${uuid}/backup/${backup}/restore`);
  }

  /** Makes a new database of a backup. */
  restoreToNew(uuid: string, backup: string, name: string): Promise<{ database_id: string }> {
    return this.#call("POST", `/${uuid}/backup/${backup}/restore?to=${encodeURIComponent(name)}`);
  }

  deleteBackup(uuid: string, backup: string): Promise<null> {
    return this.#call("DELETE", `/${uuid}/backup/${backup}`);
  }

  /** The states before migrations, newest first. */
  migrations(uuid: string): Promise<Migration[]> {
    return this.#call("GET", `/${uuid}/migrations`);
  }

  /** Goes back to a bookmark. */
  goBack(uuid: string, bookmark: string): Promise<Restored> {
    return this.#call("POST", `/${uuid}/time_travel/restore?bookmark=${bookmark}`);
  }

  /** A backup as a database file. */
  async download(uuid: string, backup: string): Promise<Response> {
    const answer = await send(this.#token, "GET", `${this.#databases}/${uuid}/backup/${backup}/download`);
    if (!answer.ok) await unwrap(answer);
    return answer;
  }

  get #databases(): string {
    return `/accounts/${this.#account}/d1/database`;
  }

  #call<T>(method: string, path: string, body?: object): Promise<T> {
    return request(this.#token, method, this.#databases + path, body);
  }
}

async function request<T>(token: string, method: string, path: string, body?: object): Promise<T> {
  return (await unwrap<T>(await send(token, method, path, body))).result;
}

function send(token: string, method: string, path: string, body?: object): Promise<Response> {
  return fetch(BASE + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
    cache: "no-store",
    credentials: "omit",
  });
}

async function unwrap<T>(answer: Response): Promise<Envelope<T>> {
  const envelope = (await answer.json().catch(() => undefined)) as Envelope<T> | undefined;
  if (envelope?.success) return envelope;
  const said = envelope?.errors?.map(({ message }) => message).join("; ");
  throw new Refusal(answer.status, said || `The Worker answered ${answer.status} without a reason.`);
}

/** Progress is shown that often, in milliseconds. */
const SHOW_MS = 200;

/**
 * Saves an answer as a file. The token goes in a header, so no link can do it; the browser keeps large bodies on disk.
 *
 * @param onProgress bytes so far, and in all
 */
export async function save(
  answer: Response,
  filename: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const total = Number(answer.headers.get("content-length") ?? 0);
  let done = 0;
  let shown = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      done += chunk.length;
      if (performance.now() - shown >= SHOW_MS) {
        shown = performance.now();
        onProgress(done, Math.max(done, total));
      }
      controller.enqueue(chunk);
    },
  });
  const body = answer.body?.pipeThrough(counting) ?? null;
  const url = URL.createObjectURL(await new Response(body).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  // The browser has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
