// What Prometheus reads. How old the newest backup is, is the one to be alarmed by: a cron's curl that fails is seen there.
import type { FileDatabases } from "./files.ts";

/** Requests that were answered, by the kind of answer. */
export class Requests {
  readonly #counts = new Map<string, number>();

  count(status: number): void {
    const kind = `${Math.floor(status / 100)}xx`;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  lines(): string[] {
    const counts = [...this.#counts].sort();
    return counts.map(([kind, count]) => `pagemark_http_requests_total{status="${kind}"} ${count}`);
  }
}

/** The text of `GET /metrics`. */
export async function metrics(databases: FileDatabases, requests: Requests): Promise<string> {
  const all = await databases.status();
  const of = (metric: string, value: (each: (typeof all)[number]) => number | undefined) =>
    all.flatMap((each) => {
      const number = value(each);
      return number === undefined ? [] : [`${metric}{database=${label(each.name)}} ${number}`];
    });
  const last = "pagemark_last_backup_timestamp_seconds";
  return [
    "# HELP pagemark_databases Databases that are served.",
    "# TYPE pagemark_databases gauge",
    `pagemark_databases ${all.length}`,
    "# HELP pagemark_database_bytes Size of a database.",
    "# TYPE pagemark_database_bytes gauge",
    ...of("pagemark_database_bytes", ({ size }) => size),
    `# HELP ${last} When the newest backup in the store was made; missing where there is none.`,
    `# TYPE ${last} gauge`,
    ...of(last, ({ backups }) => backups.last && Date.parse(backups.last.createdAt) / 1000),
    "# HELP pagemark_backup_failures_total Backups that were asked for here and failed.",
    "# TYPE pagemark_backup_failures_total counter",
    ...of("pagemark_backup_failures_total", ({ backups }) => backups.failures),
    "# HELP pagemark_http_requests_total Requests answered.",
    "# TYPE pagemark_http_requests_total counter",
    ...requests.lines(),
    "",
  ].join("\n");
}

/** A label's value as Prometheus reads it. */
function label(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
