// What shells and `man` know of the commands, made of the options that these have.
import { Argument, type Command, InvalidArgumentError, type Option } from "commander";
import { print } from "./output.ts";

const SHELLS: Readonly<Record<string, (program: Command) => string>> = { bash, zsh, fish };

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print what completes commands and options in a shell; say where to put it with --help")
    .addArgument(new Argument("<shell>", "bash, zsh or fish").argParser(shell))
    .addHelpText(
      "after",
      `
bash: pagemark completion bash > /etc/bash_completion.d/pagemark
zsh:  pagemark completion zsh > "\${fpath[1]}/_pagemark"
fish: pagemark completion fish > ~/.config/fish/completions/pagemark.fish`,
    )
    .action((name: string) => print(false, undefined, () => SHELLS[name]?.(program) ?? ""));
}

export function addMan(program: Command): void {
  program
    .command("man")
    .description("print the manual page: pagemark man > /usr/local/share/man/man1/pagemark.1")
    .action(() => print(false, undefined, () => manual(program)));
}

function shell(name: string): string {
  if (Object.hasOwn(SHELLS, name)) return name;
  throw new InvalidArgumentError("there are bash, zsh and fish");
}

/** The options of a command, those of all commands last. */
function optionsOf(command: Command): Option[] {
  const shared = command.parent ? optionsOf(command.parent) : [];
  return [...command.options, ...shared].filter(({ hidden }) => !hidden);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function switchesOf(command: Command): string[] {
  return optionsOf(command).flatMap(({ short, long }) => [short, long].filter((each) => each !== undefined));
}

function namesOf(command: Command): string[] {
  return command.commands.map((each) => each.name());
}

/** Every command and what is below it, by the words that call it. */
function paths(program: Command): { words: string; command: Command }[] {
  return program.commands.flatMap((command) => [
    { words: command.name(), command },
    ...command.commands.map((each) => ({ words: `${command.name()} ${each.name()}`, command: each })),
  ]);
}

function bash(program: Command): string {
  const values = [...new Set(paths(program).flatMap(({ command }) => optionsOf(command).filter(takesValue)))];
  const valued = [...new Set(values.flatMap(({ short, long }) => [short, long].filter(Boolean)))];
  const cases = paths(program).map(({ words, command }) => {
    const subcommands = namesOf(command);
    return `    "${words}") options="${switchesOf(command).join(" ")}"; commands="${subcommands.join(" ")}" ;;`;
  });
  return `# bash completion for pagemark
_pagemark() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path="" word options commands i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$path $word" in
      *" -"*) ;;
      ${paths(program)
        .map(({ words }) => (words.includes(" ") ? `"${words}"` : `" ${words}"`))
        .join(" | ")}) path=\${path:+$path }$word ;;
    esac
  done
  case $path in
    "") options="${switchesOf(program).join(" ")}"; commands="${namesOf(program).join(" ")}" ;;
${cases.join("\n")}
  esac
  case $before in
    ${valued.join(" | ")}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif [[ -n $commands ]]; then mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
  else mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
}
complete -o filenames -F _pagemark pagemark`;
}

function zsh(program: Command): string {
  // The quotes last: what stands for one has a backslash, which is the shell's own.
  const text = (words: string, special = /[[\]:\\]/g) =>
    words.replace(special, "\\$&").replaceAll("'", "'\\''");
  const told = (command: Command) =>
    command.commands.map((each) => `'${each.name()}:${text(each.description(), /[:\\]/g)}'`).join(" ");
  const switches = (command: Command) =>
    optionsOf(command).map((option) => {
      const value = takesValue(option) ? ":value:_files" : "";
      return `'${option.long}[${text(option.description)}]${value}'`;
    });
  const cases = paths(program).map(({ words, command }) => {
    const rest = command.commands.length > 0 ? [] : ["'*:file:_files'"];
    const below =
      command.commands.length > 0 ? `commands=(${told(command)}); _describe command commands; ` : "";
    return `    ("${words}") ${below}_arguments ${[...switches(command), ...rest].join(" ")} ;;`;
  });
  return `#compdef pagemark
_pagemark() {
  local -a commands
  local name=$words[2]
  if (( CURRENT == 2 )); then
    commands=(${told(program)})
    _describe command commands
    _arguments ${switches(program).join(" ")}
    return
  fi
  case "$name $words[3]" in
    (${paths(program)
      .filter(({ words }) => words.includes(" "))
      .map(({ words }) => `"${words}"`)
      .join("|")}) name="$name $words[3]" ;;
  esac
  shift words; (( CURRENT-- ))
  case "$name" in
${cases.join("\n")}
  esac
}
_pagemark "$@"`;
}

function fish(program: Command): string {
  const text = (words: string) => `'${words.replace(/[\\']/g, "\\$&")}'`;
  const lines = ["# fish completion for pagemark"];
  const add = (when: string, rest: string) => lines.push(`complete -c pagemark -n '${when}' ${rest}`);
  for (const command of program.commands)
    add("__fish_use_subcommand", `-f -a ${command.name()} -d ${text(command.description())}`);
  for (const { words, command } of paths(program)) {
    const when = words
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
    for (const each of command.commands) add(when, `-f -a ${each.name()} -d ${text(each.description())}`);
    for (const option of optionsOf(command)) {
      const short = option.short ? ` -s ${option.short.slice(1)}` : "";
      add(
        when,
        `-l ${option.long?.slice(2)}${short}${takesValue(option) ? " -r" : ""} -d ${text(option.description)}`,
      );
    }
  }
  return lines.join("\n");
}

/** In roff, as `man` reads it. */
function manual(program: Command): string {
  const text = (words: string) =>
    words
      .replaceAll("\\", "\\e")
      .replaceAll("-", "\\-")
      .replace(/^([.'])/gm, "\\&$1")
      .replace(
        /[^\0-\x7f]/gu,
        (char) => `\\[u${char.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}]`,
      );
  const options = (all: readonly Option[]) =>
    all
      .filter(({ hidden }) => !hidden)
      .flatMap(({ flags, description, defaultValue, defaultValueDescription }) => {
        const standard =
          defaultValueDescription ?? (typeof defaultValue === "boolean" ? undefined : defaultValue);
        const told = standard === undefined ? description : `${description} (default: ${standard})`;
        return [".TP", `.B ${text(flags)}`, text(told)];
      });
  const commands = paths(program).flatMap(({ words, command }) => [
    `.SS "${text(`pagemark ${words} ${command.usage()}`)}"`,
    text(command.description()),
    ...command.registeredArguments
      .filter(({ description }) => description)
      .flatMap((argument) => [".TP", `.I ${text(argument.name())}`, text(argument.description)]),
    ...options(command.options),
  ]);
  return [
    `.TH PAGEMARK 1 "" "pagemark ${program.version()}"`,
    ".SH NAME",
    `pagemark \\- ${text("backups of SQLite databases: page-level, incremental, provable")}`,
    ".SH SYNOPSIS",
    ".B pagemark",
    ".I command",
    "[options]",
    ".SH OPTIONS OF ALL COMMANDS",
    ...options(program.options),
    ".SH COMMANDS",
    ...commands,
    ".SH ENVIRONMENT",
    text(
      "Every option can be given by the environment: PAGEMARK_TO for --to (and --from), PAGEMARK_MAX_RATE for --max-rate.",
    ),
    ".SH EXIT STATUS",
    text("0 done, 1 failed, 2 wrong usage, 3 done with warnings, 12 no key or a wrong one."),
  ].join("\n");
}
