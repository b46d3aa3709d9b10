import type { Registry } from "./registry.ts";

/** The Worker's settings: see `wrangler.toml`. */
export interface Settings {
  /** Secret. Its holder may do everything over HTTP. Without this one and the next nobody has access over HTTP. */
  PAGEMARK_TOKEN?: string;
  /** Secret. Its holder may read over HTTP. */
  PAGEMARK_READ_TOKEN?: string;
  /** With it, only this `X-Auth-Email` may come with an `X-Auth-Key`. */
  PAGEMARK_EMAIL?: string;
  /** With it, other accounts in the path are refused. */
  PAGEMARK_ACCOUNT_ID?: string;
  /** When backups are made by themselves: `hourly` unless given, `daily`, or `off`. */
  PAGEMARK_SCHEDULE?: string;
  /** For how many hours those are kept; 24 unless given. */
  PAGEMARK_KEEP_HOURS?: string;
  /** For how many hours commits can be gone back to: each for one hour, then one a minute; 24 unless given. */
  PAGEMARK_HISTORY_HOURS?: string;
  /** What that may take of a database's object, in MB; unless given, and at most, half of what the database leaves of 10 GB. */
  PAGEMARK_HISTORY_MB?: string;
  /** How many of SQLite's instructions a request may take; 300 million unless given, ten seconds at most. */
  PAGEMARK_QUERY_STEPS?: string;
  /** `1`: requests may do no more than D1 allows. */
  PAGEMARK_D1_LIMITS?: string;
}

/** What a database's object is bound to, and the Worker's settings. */
export interface ObjectEnv extends Settings {
  /** One object that knows all databases. */
  REGISTRY: DurableObjectNamespace<Registry>;
  /** Where backups go. */
  BACKUPS: R2Bucket;
}

/** Instructions of SQLite a request may take: some ten seconds of a processor at most, whatever the statements do. */
export const MOST_STEPS = 300_000_000;

/** A setting that is a number; `usual` when it is not given, or no number. */
export function setting(text: string | undefined, usual: number): number {
  const value = text === undefined || text.trim() === "" ? usual : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : usual;
}

/** Less is gone before a database is open and its first statement compiled. */
const LEAST_STEPS = 1_000_000;

/** What is wrong with settings that the Worker passes over, or cannot serve anybody with: said when it starts. */
export function faultsOf(settings: Settings): string[] {
  const wrong = (name: keyof Settings, isRight: (text: string) => boolean, wanted: string) => {
    const text = settings[name]?.trim() ?? "";
    return text === "" || isRight(text)
      ? []
      : [`${name} is ${JSON.stringify(text.slice(0, 100))}: ${wanted}`];
  };
  const isNumber = (text: string) => Number.isFinite(Number(text)) && Number(text) >= 0;
  const numbers = ["PAGEMARK_KEEP_HOURS", "PAGEMARK_HISTORY_HOURS", "PAGEMARK_HISTORY_MB"] as const;
  return [
    ...numbers.flatMap((name) => wrong(name, isNumber, "give a number, or leave it out")),
    ...wrong(
      "PAGEMARK_QUERY_STEPS",
      (text) => isNumber(text) && Number(text) >= LEAST_STEPS,
      `with so few every request ends as interrupted; give a number of at least ${LEAST_STEPS}, or leave it out for ${MOST_STEPS}`,
    ),
    ...wrong("PAGEMARK_SCHEDULE", (text) => /^(hourly|daily|off)$/i.test(text), "give hourly, daily or off"),
    ...wrong("PAGEMARK_D1_LIMITS", (text) => /^[01]$/.test(text), "give 1, or leave it out"),
  ];
}

const HOUR_MS = 3_600_000;

/** For how long automatic backups are kept, in milliseconds. */
export function keepMs({ PAGEMARK_KEEP_HOURS }: Settings): number {
  return setting(PAGEMARK_KEEP_HOURS, 24) * HOUR_MS;
}
