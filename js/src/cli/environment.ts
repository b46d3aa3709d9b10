// Options that the environment gives: `PAGEMARK_TO` for `--to`.
import { Command, InvalidArgumentError, type Option } from "commander";
import { PagemarkError } from "../errors/index.ts";

const ON = /^(1|true|yes|on)$/i;
const OFF = /^(0|false|no|off)$/i;

/** Switches that say neither yes nor no. */
const unclear: string[] = [];

/** A command whose options can be given by the environment, too: `PAGEMARK_TO` is `--to`, and what is read from unless said. */
export class CommandLine extends Command {
  override createCommand(name?: string): Command {
    return new CommandLine(name);
  }

  override addOption(option: Option): this {
    if (option.long === "--to" || option.long === "--from") option.argParser(severalStores);
    const variable = variableOf(option);
    return super.addOption(variable === undefined ? option : option.env(variable));
  }
}

/** A store, or one more that has a locality as the one before has: together they are one text. */
function severalStores(text: string, before: unknown): string {
  if (typeof before !== "string") return text;
  if ([before, text].some((place) => !/[?&](PAGEMARK|COCKROACH)_LOCALITY=/i.test(place)))
    throw new InvalidArgumentError(
      "each of several stores needs a locality, such as ?PAGEMARK_LOCALITY=default",
    );
  return `${before}\n${text}`;
}

/** The variable of an option; `undefined` for one that no variable gives. */
function variableOf({ long = "", mandatory, required, optional }: Option): string | undefined {
  const { env } = process;
  // A database in a store is named, and one in a file has a path: a variable must not turn one into the other.
  if (long.startsWith("--no-") || long === "--version" || (long === "--from" && !mandatory)) return undefined;
  // A command of the user's that runs around a backup is told of that by the same variable.
  if (long === "--name" && env.PAGEMARK_STATUS !== undefined) return undefined;
  const isRead = long === "--from" && !env.PAGEMARK_FROM;
  const variable = `PAGEMARK_${isRead ? "TO" : long.slice(2).replaceAll("-", "_").toUpperCase()}`;
  const value = env[variable];
  // An empty variable is none, and Commander takes a switch for on whatever its variable says.
  if (value === undefined || value === "") return undefined;
  if (required || optional || ON.test(value)) return variable;
  if (!OFF.test(value)) unclear.push(variable);
  return undefined;
}

/** @throws PagemarkError `USAGE` when a variable of the command's switches says neither yes nor no */
export function refuseUnclear(): void {
  const [variable] = unclear;
  if (variable === undefined) return;
  throw new PagemarkError("USAGE", `${variable} must be 1 or 0, true or false, yes or no, on or off`);
}

export function isOn(variable: string): boolean {
  return ON.test(process.env[variable] ?? "");
}
