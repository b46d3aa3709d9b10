// Which backups are kept. The core decides (`src/catalog/retention.rs`); nothing is deleted here.
import { core } from "../core/index.ts";

/** A backup, as far as it matters here. */
export interface Candidate {
  kind: "full" | "incremental";
  /** In milliseconds since 1970. */
  createdMs: number;
  /** Whether it stays until somebody deletes it. */
  pinned: boolean;
  /** Whether somebody deleted it. */
  deleted: boolean;
}

/** Periods of which the newest backup is kept, in the core's order. */
export const PERIODS = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type Period = (typeof PERIODS)[number];

/** How many are kept; rules add up. */
export type Rules = { [period in Period | "last"]?: number | undefined } & {
  /** For how long, in milliseconds. */
  withinMs?: number | undefined;
  /** Whether the database was deleted: even the newest can go. */
  isOver?: boolean | undefined;
};

/** Why a backup is kept, in the order of the core's bits. */
const REASONS = ["last", ...PERIODS, "within", "pinned", "newest", "needed"] as const;
/** Why a backup is kept: a rule by its name, because it is `pinned` or the `newest`, or is `needed` by one that is kept. */
export type Reason = (typeof REASONS)[number];

export interface Fate {
  /** Why it stays; `needed` alone: only because one that is kept is made of it. */
  reasons: Reason[];
  /** Whether a rule keeps it. */
  isKept: boolean;
  /** Whether nothing keeps its objects. */
  isRemovable: boolean;
}

/** The fate of each backup. They come oldest first; days are those of this machine's zone. */
export async function retain(backups: readonly Candidate[], rules: Rules, nowMs: number): Promise<Fate[]> {
  const { retention } = await core();
  const flags = Uint8Array.from(backups, ({ kind, pinned, deleted }) => {
    return Number(kind === "full") | (Number(pinned) << 1) | (Number(deleted) << 2);
  });
  const times = Float64Array.from(
    backups.flatMap(({ createdMs }) => [
      createdMs,
      createdMs - new Date(createdMs).getTimezoneOffset() * 60_000,
    ]),
  );
  const counts = [rules.last, ...PERIODS.map((period) => rules[period]), Number(rules.isOver ?? false)];
  const numbers = Uint32Array.from(counts, (count) => Math.min(count ?? 0, 2 ** 32 - 1));
  const bits = retention(flags, times, numbers, rules.withinMs, nowMs);
  return Array.from(bits, (fate) => {
    const reasons = REASONS.filter((_, bit) => fate & (1 << bit));
    return { reasons, isKept: reasons.some((reason) => reason !== "needed"), isRemovable: fate === 0 };
  });
}
