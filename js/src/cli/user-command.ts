// Commands of the user's that are run for them, and shown to them.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { PagemarkError } from "../errors/index.ts";
import { passingOn } from "./interrupt.ts";

/**
 * Runs a command to its end, also when this process is asked to end meanwhile: then it is asked, too.
 *
 * @param output where its standard output goes: a descriptor, or to ours
 * @param left what is said where it cannot be started
 * @returns its exit code as a shell has it, and in words
 * @throws PagemarkError `COMMAND_FAILED` when it cannot be started
 */
export function runCommand(
  [program = "", ...args]: readonly string[],
  output: number | "inherit",
  left: string,
): Promise<{ status: number; end: string }> {
  const child = spawn(program, args, { stdio: ["inherit", output, "inherit"] });
  const ended = new Promise<{ status: number; end: string }>((resolve, reject) => {
    child.once("error", (cause) => {
      const message = `${program} cannot be started: ${cause.message}; ${left}`;
      reject(new PagemarkError("COMMAND_FAILED", message, { name: program }, { cause }));
    });
    child.once("close", (code, signal) =>
      resolve(
        signal
          ? { status: 128 + constants.signals[signal], end: signal }
          : { status: code ?? 1, end: `exit code ${code}` },
      ),
    );
  });
  return passingOn(
    (signal) => child.kill(signal),
    () => ended,
  );
}

/** A word as a shell reads it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
