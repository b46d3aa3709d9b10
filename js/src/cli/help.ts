// Help at every place where people ask for it, as wide as the terminal.
import { type Command, Help, type Option } from "commander";
import { terminalWidth } from "./table.ts";

/** A description beside what it describes has at least so many columns; where there are fewer, it goes below. */
const LEAST_BESIDE = 20;
const INDENT = "      ";

/** How Commander lays out help. Spread it into `configureHelp`. */
export const helpLayout: Partial<Help> = {
  showGlobalOptions: true,
  helpWidth: terminalWidth(),
  minWidthToWrap: LEAST_BESIDE,

  // Without the option's variable: a line at the end tells of them all.
  optionDescription: (option: Option) =>
    new Help().optionDescription(Object.create(option, { envVar: { value: undefined } })),

  formatItem(term, termWidth, description, help) {
    const width = terminalWidth();
    if (description === "" || width - termWidth - 4 >= LEAST_BESIDE)
      return new Help().formatItem.call(help, term, termWidth, description, help);
    return `  ${term}\n${help.boxWrap(description, width - INDENT.length).replace(/^/gm, INDENT)}`;
  },
};

/** The words of a command line that are neither options nor the values of global ones, up to `--`. */
export function operands(program: Command, args: readonly string[]): string[] {
  const end = args.indexOf("--");
  const before = end < 0 ? args : args.slice(0, end);
  const takesValue = (arg: string | undefined) =>
    program.options.some(({ long, required }) => required && long === arg);
  return before.filter((arg, at) => !arg.startsWith("-") && !takesValue(before[at - 1]));
}

/**
 * What to parse where help is asked for: the command and `--help`, or the first word that is no command, to be refused.
 * Commander itself would answer with the help on everything. `undefined` where nobody asks.
 */
export function helpAsked(program: Command, args: readonly string[]): string[] | undefined {
  const end = args.indexOf("--");
  let isAsked = args.some((arg, at) => ["-h", "--help"].includes(arg) && (end < 0 || at < end));
  const path: string[] = [];
  let command = program;
  for (const word of operands(program, args)) {
    // What follows are arguments.
    if (command.commands.length === 0) break;
    if (word === "help") {
      isAsked = true;
      continue;
    }
    path.push(word);
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) return isAsked ? path : undefined;
    command = next;
  }
  return isAsked ? [...path, "--help"] : undefined;
}
