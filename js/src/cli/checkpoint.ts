import type { Command } from "commander";
import { PagemarkError } from "../errors/index.ts";
import { checkpoint } from "../sources/file/checkpoint.ts";
import { type Answer, ask, exists, hold, startHolder, told } from "./checkpoint-holder.ts";
import { note, print, printError } from "./output.ts";
import { fileAt } from "./places.ts";
import { layOutText } from "./table.ts";
import { runCommand } from "./user-command.ts";
import { duration, timeText } from "./values.ts";

interface Options {
  lease: number;
  json?: boolean;
}

type Status = NonNullable<Answer["status"]>;

const LEASE = [
  "--lease <time>",
  "when it is released by itself, such as 90s or 2h",
  duration,
  600_000,
] as const;

export function addCheckpoint(program: Command, signal: AbortSignal): void {
  const group = program
    .command("checkpoint")
    .description(
      "hold a database's files fit to be copied by other means, such as rsync or a disk's snapshot",
    );
  group
    .command("run")
    .description("run a command under a checkpoint, and release it when that ends")
    .argument("<file>", "the database")
    .argument("<command...>", "after --: such as rsync -a app.db app.db-wal backup:/srv/")
    .option(...LEASE)
    .action(async (place: string, words: string[], _options, command: Command) => {
      await run(await fileAt(place), words, command.optsWithGlobals<Options>(), signal);
    });
  group
    .command("create")
    .description("begin one, which a process of its own holds until it is released or its lease ends")
    .argument("<file>", "the database")
    .option(...LEASE)
    .action(async (place: string, _options, command: Command) => {
      const path = await fileAt(place);
      const { lease, json = false } = command.optsWithGlobals<Options>();
      if (await ask(path, "status")) throw exists(path);
      const status = await startHolder(path, lease);
      print(json, status, () => text("checkpoint", status));
    });
  group
    .command("release")
    .description("end it")
    .argument("<file>", "the database")
    .action(async (place: string, _options, command: Command) => {
      const path = await fileAt(place);
      const { json = false } = command.optsWithGlobals<Options>();
      const { status } = (await ask(path, "release")) ?? {};
      if (!status) throw none(path);
      print(
        json,
        status,
        () => `released the checkpoint of ${status.path}, held since ${timeText(status.since)}`,
      );
    });
  group
    .command("status")
    .description("say whether there is one, and for how long")
    .argument("<file>", "the database")
    .action(async (place: string, _options, command: Command) => {
      const path = await fileAt(place);
      const { json = false } = command.optsWithGlobals<Options>();
      const { status } = (await ask(path, "status")) ?? {};
      print(json, status ? { in_progress: true, ...status } : { in_progress: false }, () =>
        status ? text("checkpoint", status) : `there is no checkpoint of ${path}`,
      );
    });
  group
    .command("hold", { hidden: true })
    .argument("<file>")
    .option(...LEASE)
    .action(async (path: string, _options, command: Command) => {
      try {
        await hold(path, command.optsWithGlobals<Options>().lease, signal);
      } catch (error) {
        if (!(error instanceof PagemarkError)) throw error;
        process.stdout.write(`${JSON.stringify({ error: { code: error.code, message: error.message } })}\n`);
      }
    });
}

function none(path: string): PagemarkError {
  const message = `${path}: there is no checkpoint of it; if there was one, its lease has ended, and what was copied since may be no database`;
  return new PagemarkError("CHECKPOINT_NONE", message, { name: path });
}

function text(what: string, { path, mode, files, since, until }: Status): string {
  const effect = mode === "wal" ? "writers go on, and the WAL grows" : "writers wait";
  return [
    layOutText(`${what} of ${path} since ${timeText(since)}: ${effect}`),
    layOutText(`copy, in this order: ${files.join(" ")}`),
    layOutText(`it is released by itself at ${timeText(until)}`),
  ].join("\n");
}

async function run(
  path: string,
  words: string[],
  { lease, json = false }: Options,
  signal: AbortSignal,
): Promise<void> {
  const held = await checkpoint(path, { leaseMs: lease, signal });
  if (!json) note(text("checkpoint", told(held.status())).replaceAll("\n", "; "));
  const { status, end } = await runCommand(words, "inherit", "nothing was copied").catch(async (error) => {
    await held[Symbol.asyncDispose]();
    throw error;
  });
  try {
    await held.release();
  } catch (error) {
    printError(error, json);
    process.exitCode = 1;
  }
  if (status !== 0) {
    note(`${words[0]} ended with ${end}`);
    process.exitCode = status;
  }
}
