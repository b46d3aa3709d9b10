// What goes wrong with R2, and with an object while it waits for R2. One thing at a time, for all objects.
import type { CallName, Fault } from "../../stores/r2-faults.ts";

type Injected = (call: CallName, number: number, ctx: DurableObjectState) => Fault | undefined;

interface Injection {
  fault: Injected | undefined;
  /** How many calls there were since it began. */
  calls: number;
  /** Whether what is got is held back. */
  isHolding: (() => boolean) | undefined;
}

// The objects may have modules of their own, but they are in the test's isolate.
const shared = globalThis as { pagemarkInjection?: Injection };
shared.pagemarkInjection ??= { fault: undefined, calls: 0, isHolding: undefined };
const injection = shared.pagemarkInjection;

/** Whether anything is to go wrong. */
export function isInjecting(): boolean {
  return injection.fault !== undefined || injection.isHolding !== undefined;
}

/** What happens to a call: for the objects. */
export function injected(call: CallName, ctx: DurableObjectState): Fault | undefined {
  injection.calls++;
  return injection.fault?.(call, injection.calls, ctx);
}

/** Ends when nothing is held back any more: for the objects, which wait by a timer of their own. */
export async function released(ctx: DurableObjectState): Promise<void> {
  while (isRestoring(ctx) && injection.isHolding?.()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Holds back what objects that restore get from R2 while it says so, but for no longer than `work` takes. */
export async function holding(isHolding: () => boolean, work: () => Promise<unknown>): Promise<void> {
  injection.isHolding = isHolding;
  try {
    await work();
  } finally {
    injection.isHolding = undefined;
  }
}

/** Whether an object has begun to replace its database, and not ended: the backup of what it replaces is made before. */
export function isRestoring(ctx: DurableObjectState): boolean {
  const sql = `SELECT 1 FROM pagemark_jobs WHERE kind = 'restore' AND state NOT IN ('done', 'failed')
    AND json_extract(request, '$.attempts') > 0`;
  return ctx.storage.sql.exec(sql).toArray().length > 0;
}

/** Runs `work`; `fault` says what happens to each call of R2 meanwhile. Gives how many there were. */
export async function during(fault: Injected, work: () => Promise<unknown>): Promise<number> {
  injection.fault = fault;
  injection.calls = 0;
  try {
    await work();
    return injection.calls;
  } finally {
    injection.fault = undefined;
  }
}

/** The object is gone when it makes its `number`th call of R2: before R2 did it, or after. */
export function evictedAt(number: number, when: "before" | "after"): Injected {
  return (_, current, ctx) => {
    if (current !== number) return undefined;
    if (when === "after") {
      // Asked for when the call was done.
      return {
        how: "after",
        error: {
          get message() {
            return evict(ctx);
          },
        } as Error,
      };
    }
    evict(ctx);
    return { how: "hang" };
  };
}

function evict(ctx: DurableObjectState): string {
  try {
    ctx.abort("evicted");
  } catch {
    // That is how it ends.
  }
  return "evicted";
}
