// The one driver of the core's machines (`src/run`): their requests out, what came of them in.
import type { Machine } from "../core/index.ts";
import { DamageError, ObjectExistsError, ObjectMissingError, PagemarkError } from "../errors/index.ts";
import type { StoredFile } from "../objects/object-reader.ts";

/** A request, as it comes out of the core. */
type Asked = [id: number, what: Wanted, bytes?: Uint8Array, numbers?: Uint32Array];

/** What a machine asks for; see the core's `run::Request`. */
export type Request = Wanted & {
  readonly id: number;
  readonly bytes?: Uint8Array;
  readonly numbers?: Uint32Array;
};

type Wanted =
  | { kind: "list"; prefix: string; cursor?: string }
  | { kind: "get"; key: string; most: number }
  | { kind: "put"; key: string; modifiedMs: number }
  | { kind: "delete"; key: string }
  | { kind: "remove"; key: string }
  | { kind: "read"; key: string; proof: { sha256: string; size: number } }
  | { kind: "prove"; file: StoredFile; listed?: number; total: number }
  | { kind: "putTogether"; files: StoredFile[]; bookmark?: string }
  | { kind: "close"; key: string }
  | { kind: "pin"; since?: string; at?: string }
  | { kind: "readPages"; first: number; count: number }
  | { kind: "release" }
  | { kind: "openStored"; files: StoredFile[]; pageSize: number; pageCount: number }
  | { kind: "readStored"; pgno: number }
  | { kind: "closeStored" }
  | { kind: "openPackers"; pageSize: number; total: number }
  | { kind: "pack" }
  | { kind: "create"; file: FileName; key: string; modifiedMs: number }
  | { kind: "append"; file: FileName }
  | { kind: "appendPacked"; pack: number; done: number; total: number; read: number }
  | { kind: "finish"; file: FileName }
  | { kind: "abort"; file: FileName }
  | { kind: "wait"; ms: number }
  | { kind: "save" };

export type FileName = "ltx" | "fingerprints";

/** What came of a request: nothing but that it is done, bytes, or what is to be told to the machine. */
export type Reply = undefined | Uint8Array | ((machine: Machine, id: number) => void);

/** A request that is not performed any more: the job was canceled. */
export class Canceled {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}

/** Performs a request; `stop` ends the driving, and the machine is let go. */
export type Perform = (request: Request) => Promise<Reply> | "stop";

/** What the core says of a job that came to nothing; see the core's `run::Failure`. */
export interface Failure {
  kind:
    | "host"
    | "otherDatabase"
    | "otherName"
    | "otherState"
    | "conflict"
    | "cutOff"
    | "lostFingerprints"
    | "lost"
    | "undeleted"
    | "needed";
  [more: string]: unknown;
}

/** What a job came to: its result, or why it has none. */
export interface Outcome<T> {
  result?: T;
  failure?: Failure;
  /** Whether it was stopped before its end. */
  isStopped: boolean;
  /** What could not be performed, by the tokens that the core knows it by. */
  failures: readonly unknown[];
}

/**
 * Runs a machine until it has ended, or until `perform` stops it; then nothing of it is under way any more.
 *
 * @throws what the core found wrong
 */
export async function drive<T>(machine: Machine, perform: Perform): Promise<Outcome<T>> {
  const failures: unknown[] = [];
  const underWay = new Set<Promise<void>>();
  let isStopped = false;
  const next = () => (isStopped ? undefined : (machine.poll(Date.now()) as Asked | undefined));
  const begin = ([id, what, bytes, numbers]: Asked) => {
    const work = perform({ ...what, id, ...(bytes && { bytes }), ...(numbers && { numbers }) });
    if (work === "stop") {
      isStopped = true;
      return;
    }
    const answered = work.then(
      (reply) => answer(machine, id, reply),
      (error) => machine.fail(id, kindOf(error), failures.push(error) - 1),
    );
    underWay.add(answered);
    void answered.finally(() => underWay.delete(answered));
  };
  for (;;) {
    for (let asked = next(); asked; asked = next()) begin(asked);
    if (underWay.size === 0) break;
    await Promise.race(underWay);
  }
  const outcome: Pick<Outcome<T>, "result" | "failure"> = isStopped ? {} : (machine.outcome() ?? {});
  return { ...outcome, isStopped, failures };
}

function answer(machine: Machine, id: number, reply: Reply): void {
  if (reply === undefined) machine.done(id);
  else if (reply instanceof Uint8Array) machine.bytes(id, reply);
  else reply(machine, id);
}

/** The failure of the host that ended a job, as it was thrown, or that its folder is another database's. */
export function hostFailure({ failure, failures }: Outcome<unknown>): unknown {
  if (failure?.kind === "otherName") return otherName(String(failure.key), String(failure.id));
  const error = failures[failure?.token as number];
  return error instanceof Canceled ? error.reason : error;
}

function otherName(folder: string, name: string): PagemarkError {
  const message =
    `${folder}: the backups in this folder are of ${JSON.stringify(name)}: it was renamed, or swapped with that database's. ` +
    "Give it back its name; where that database has a new name, back it up once under it with `sameDatabase`";
  return new PagemarkError("OTHER_NAME", message, { name: folder });
}

/** What the core must know of an error. */
function kindOf(error: unknown): string {
  if (error instanceof Canceled) return "canceled";
  if (error instanceof ObjectExistsError) return "exists";
  if (error instanceof ObjectMissingError) return "missing";
  if (error instanceof DamageError) return "damaged";
  return error instanceof PagemarkError && error.code === "SOURCE_CHANGED" ? "changed" : "other";
}
