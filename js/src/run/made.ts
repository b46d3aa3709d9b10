// What a backup comes to, and how its failures are told.
import type { Backup } from "../catalog/folder.ts";
import { named } from "../core/index.ts";
import {
  ConflictError,
  DamageError,
  ObjectExistsError,
  PagemarkError,
  SourceError,
} from "../errors/index.ts";
import { type Failure, hostFailure, type Outcome } from "../host/drive.ts";
import type { Moment, PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";

/** A backup that was just made. */
export interface NewBackup extends Backup {
  /** Why it is a full one; missing when it is incremental. */
  fullBecause?: string;
  /** What was found damaged on the way; the backup itself is whole. */
  warnings: string[];
  /** Where the source stood, in its own words. */
  mark?: string;
  /** How many pages a step may have; missing for a backup that was made in steps by several processes. */
  mostPages?: number;
}

/** What the core's machine tells of a backup that it made; `null` of one that was given up. */
export interface Made {
  backup: Backup;
  fullBecause?: string;
  damaged: boolean;
  mark?: string;
  lack?: Lack;
  mostPages?: number;
}

interface Lack {
  tables: string[];
  pageCount: number;
  beyond: number;
}

/** The backup that a machine has made. @throws what the job failed with */
export function madeBy(outcome: Outcome<Made | null>, job: Job): NewBackup | undefined {
  if (outcome.failure) throw errorOf(outcome.failure, outcome, job);
  return outcome.result ? toNewBackup(outcome.result, job) : undefined;
}

/** What was backed up, for what is told of it. */
export interface Job {
  store: Store;
  name: string;
  source?: PageSource | undefined;
  /** The one that was held last. */
  moment?: Moment | undefined;
}

function toNewBackup(
  { backup, fullBecause, damaged, mark, lack, mostPages }: Made,
  { moment }: Job,
): NewBackup {
  const warnings = damaged
    ? [`this is a full backup because ${fullBecause}; run verify to see what is left`]
    : [];
  if (lack) warnings.push(lacking(lack));
  return {
    ...backup,
    ...(moment?.taken === "tracked" && { taken: moment.taken }),
    ...(fullBecause !== undefined && { fullBecause }),
    warnings,
    ...(mark !== undefined && { mark }),
    ...(mostPages !== undefined && { mostPages }),
  };
}

function errorOf({ kind, sign, id, by }: Failure, outcome: Outcome<unknown>, job: Job): unknown {
  const { name, source, moment } = job;
  const about = source?.name ?? name;
  switch (kind) {
    case "conflict":
      return new ConflictError(name);
    case "otherDatabase":
      return otherDatabase(job, String(sign));
    case "otherState": {
      const message = `${name} is at ${id}, but this backup is of ${by}; hold that state until the backup is done`;
      return new SourceError("SOURCE_OTHER_STATE", message, { name });
    }
    case "cutOff": {
      const message = `${about}: ${endsEarly(moment)}, which its schema points to. ${ADVICE}`;
      return new DamageError("DATABASE_HEADER", message, { name: about, page: 1 });
    }
    case "lostFingerprints":
      return new DamageError(
        "FINGERPRINTS",
        `${about}: the fingerprints of the last backup are damaged or lost`,
      );
    default: {
      const failure = hostFailure(outcome);
      // Another backup that began at the same time has stored its file under the name already.
      return failure instanceof ObjectExistsError ? new ConflictError(name) : named(failure, about);
    }
  }
}

const ADVICE = "Run `pagemark dump --salvage` on it, or `.recover` in sqlite3, and load what comes out";

/** What a database lacks whose header says that it ends before its tables do; SQLite, too, reads no further. */
function lacking(lack: Lack): string {
  const names = lack.tables.slice(0, 3).map((name) => JSON.stringify(name));
  const more = lack.tables.length > 3 ? ` and ${lack.tables.length - 3} more` : "";
  return `${endsEarly(lack)}: the backup lacks what ${names.join(", ")}${more} has there. ${ADVICE}`;
}

function endsEarly({ pageCount, beyond = 0 }: Partial<Pick<Moment, "pageCount" | "beyond">> = {}): string {
  return `the header says that the database ends after page ${pageCount}, but ${beyond} pages follow in the file`;
}

const SIGNS: Record<string, string> = {
  beside: "that one lies elsewhere, and this one was there when it was backed up last",
  elsewhere: "that one lies elsewhere, and this one lacks rows of its last backup",
  contents: "this one has next to nothing in common with its last backup",
};

function otherDatabase({ source, store, name, moment }: Job, sign: string): PagemarkError {
  const what = moment?.identity?.place ?? source?.name ?? name;
  const message =
    `${what}: ${JSON.stringify(name)} in ${store.description} is another database: ${SIGNS[sign]}. ` +
    "Back this one up under another name, or say once that it is the same, moved or made anew";
  return new PagemarkError("OTHER_DATABASE", message, { name: what });
}
