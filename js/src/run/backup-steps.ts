import { core, naming } from "../core/index.ts";
import type { PageSource } from "../sources/source.ts";
import { abortBackup, type BackupStep, type StartOptions, startBackup, stepBackup } from "./backup-run.ts";
import type { BackupRunState } from "./backup-run-state.ts";
import type { StepOptions } from "./pack-step.ts";
import { type PagemarkOptions, type Subject, subjectOf } from "./subject.ts";

/**
 * A backup in steps, whose state the caller keeps between them: for Durable Objects and whatever else may be evicted at
 * any moment. A step that is made again from the same state does no harm. `safety` says that a restore is about to replace
 * what is backed up.
 *
 * @example
 * ```ts
 * const steps = backupSteps(db, { store: r2(env.BACKUPS) });
 * let state = await steps.start();           // in a transaction: hold `state.bookmark`, keep the state, set an alarm
 * const step = await steps.step(state);      // in each alarm, until there is `step.done`
 * ```
 */
export function backupSteps(
  source: PageSource,
  { safety = false, ...options }: PagemarkOptions & { safety?: boolean },
): BackupSteps {
  return new BackupSteps({ ...subjectOf("backupSteps", source, options), safety });
}

/** See {@link backupSteps}. */
export class BackupSteps {
  readonly #subject: Omit<Subject, "folder">;

  constructor(subject: Omit<Subject, "folder">) {
    this.#subject = subject;
  }

  /**
   * Begins; nothing is stored yet. The source must name its states, and keep this one (`state.bookmark`) until the
   * backup is done: hold it before, and name it in `at`. The backup is incremental when the source tells what changed
   * and its checksum, else full.
   *
   * @throws PagemarkError `USAGE` when the source or the store cannot do it
   */
  async start(options?: StartOptions): Promise<BackupRunState> {
    return startBackup(await this.#found(), options);
  }

  /**
   * Goes on for about a part of an object, or as long as `options` says. When it throws, the state it was given still
   * holds: make the step again, or {@link abort}.
   *
   * @throws ConflictError when another backup was quicker; nothing of this one stays then
   * @throws PagemarkError `SOURCE_OTHER_STATE` when the source gives another state, `SAVED_STATE` when `state` is damaged
   */
  async step(state: BackupRunState, options?: StepOptions): Promise<BackupStep> {
    return stepBackup(await this.#found(), state, options);
  }

  /** Gives the backup up: nothing of it stays in the store. One that is made already stays. */
  async abort(state: BackupRunState): Promise<void> {
    return abortBackup(await this.#found(), state);
  }

  /** @throws PagemarkError `NAME_INVALID` */
  async #found(): Promise<Subject> {
    const { nameToSegment } = await core();
    const { name } = this.#subject;
    return naming(name, () => ({ ...this.#subject, folder: nameToSegment(name) }));
  }
}
