/** What `/exec` can be told, and of which database; of all of them when none is named. */
export interface Command {
  action: "backup" | "show-databases" | "show-backups" | "show-orphans" | "create" | "release" | "status";
  database: string | undefined;
  /** Whether it changes something. */
  writes: boolean;
}

const NAME = String.raw`(?:\s+(?:"((?:[^"]|"")+)"|'((?:[^']|'')+)'|([\w.-]+)))?`;
const FORMS: readonly [RegExp, Command["action"], boolean][] = [
  [form(String.raw`BACKUP\s+DATABASE${NAME}`), "backup", true],
  [form(String.raw`SHOW\s+DATABASES`), "show-databases", false],
  [form(String.raw`SHOW\s+ORPHANED\s+BACKUPS`), "show-orphans", false],
  [form(String.raw`SHOW\s+BACKUPS(?:\s+FROM)?${NAME}`), "show-backups", false],
  [form(String.raw`CHECKPOINT\s+CREATE${NAME}`), "create", true],
  [form(String.raw`SNAPSHOT\s+PREPARE${NAME}`), "create", true],
  [form(String.raw`CHECKPOINT\s+RELEASE${NAME}`), "release", true],
  [form(String.raw`SNAPSHOT\s+COMPLETE${NAME}`), "release", true],
  [form(String.raw`SELECT\s+\*\s+FROM\s+checkpoint_status\(\)`), "status", false],
  [form(String.raw`SHOW\s+CHECKPOINTS?${NAME}`), "status", false],
];

/** Reads a command as QuestDB spells it; nothing for what is none. It is never SQL that reaches a database. */
export function parseCommand(text: string): Command | undefined {
  for (const [pattern, action, writes] of FORMS) {
    const match = pattern.exec(text);
    if (!match) continue;
    const [, double, single, bare] = match;
    const database = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'") ?? bare;
    return { action, database, writes };
  }
  return undefined;
}

function form(pattern: string): RegExp {
  return new RegExp(String.raw`^\s*${pattern}\s*;?\s*$`, "i");
}
