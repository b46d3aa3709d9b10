import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { PagemarkError } from "../errors/index.ts";
import { addKey, listKeys, removeKey } from "../stores/encrypted/keys.ts";
import { print, report, table } from "./output.ts";
import { keysOfEnvironment, openStore, refuseMissing } from "./places.ts";
import { timeText } from "./values.ts";

interface Options {
  store: string;
  recipient?: string[];
  passphraseFile?: string;
  utc?: boolean;
  json?: boolean;
}

export function addKeyCommands(program: Command): void {
  const key = program
    .command("key")
    .description("who may open an encrypted store: list, add and remove keys");
  const of = (command: Command) =>
    command.requiredOption("--store <store>", "the encrypted store: a folder or a URL");
  of(key.command("list"))
    .description("list the keys of a store")
    .option("--utc", "show times in UTC instead of this machine's zone")
    .action(async (_options, command: Command) => {
      const { store, utc, json = false } = command.optsWithGlobals<Options>();
      await refuseMissing(store);
      const keys = await listKeys(openStore(store, { plain: true }));
      const value = keys.map(({ name, kind, created }) => ({
        name,
        kind,
        created_at: created.toISOString(),
      }));
      print(json, value, () =>
        keys.length === 0
          ? "the store is not encrypted"
          : table(
              ["name", "kind", "created_at"],
              keys.map((each) => [each.name, each.kind, timeText(each.created, utc)]),
            ),
      );
    });
  of(key.command("add"))
    .description(
      "let a further key open a store; it takes one that does, from the environment, and writes nothing anew",
    )
    .option("--recipient <age1...>", "a recipient of age", (text: string, all: string[] = []) => [
      ...all,
      text,
    ])
    .option("--passphrase-file <file>", "a file whose first line is a passphrase, or - for standard input")
    .action(async (_options, command: Command) => {
      const {
        store,
        recipient: recipients = [],
        passphraseFile,
        json = false,
      } = command.optsWithGlobals<Options>();
      const passphrases = passphraseFile === undefined ? [] : [firstLine(passphraseFile)];
      if (recipients.length + passphrases.length === 0)
        throw new PagemarkError("USAGE", "give --recipient or --passphrase-file");
      const added = await addKey(openStore(store, { plain: true }), keysOfEnvironment(), {
        recipients,
        passphrases,
      });
      report(json, { added }, () => `added ${added.join(", ")}`);
    });
  of(key.command("remove"))
    .description("remove a key of a store; whoever had it may have kept what it opened")
    .argument("<name>", "of the key, as `pagemark key list` shows it")
    .action(async (name: string, _options, command: Command) => {
      const { store, json = false } = command.optsWithGlobals<Options>();
      await removeKey(openStore(store, { plain: true }), name);
      report(json, { removed: name }, () => `removed ${name}`);
    });
}

function firstLine(path: string): string {
  const [line = ""] = readFileSync(path === "-" ? 0 : path, "utf8").split(/\r?\n/);
  if (line === "")
    throw new PagemarkError("USAGE", "the passphrase is empty: it must be the first line of the file");
  return line;
}
