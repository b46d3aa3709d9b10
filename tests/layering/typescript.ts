// Which files of the package import which: the layers of js/src, and what each runtime's files may import.
import { posix } from "node:path";
import { circlesOf } from "./circles.ts";
import type { Sources } from "./files.ts";

/** Every folder of js/src and its layer: a folder imports lower layers and itself. */
export const TS_LAYERS: Readonly<Record<string, number>> = {
  // What other Workers import: without the rest of the package.
  client: 0,
  core: 0,
  errors: 0,
  // Texts that the build makes.
  inline: 0,
  node: 0,
  opfs: 1,
  streams: 1,
  sources: 2,
  stores: 2,
  moments: 3,
  // Texts to stores: builds the drivers.
  places: 3,
  objects: 3,
  host: 4,
  catalog: 5,
  stored: 6,
  dump: 7,
  run: 7,
  backups: 8,
  vault: 9,
  engine: 9,
  browser: 10,
  // What the Worker and `serve` share: without HTTP, and with it.
  service: 10,
  api: 11,
  worker: 12,
  serve: 12,
  cli: 13,
};

/** May import anything: they put the parts together. */
const FREE = /^(entry\/.*|index\.ts)$/;

/** Allowed all the same: core and node throw the package's errors; the CLI and the Worker are users of the package. */
const ALLOWED = new Set([
  "core -> errors",
  "node -> errors",
  "streams -> errors",
  "cli -> entry",
  "cli -> index.ts",
  "worker -> entry",
]);

/** Folders of drivers, which know nothing of one another: their interface, and what every driver in them shares. */
const DRIVERS: Readonly<Record<string, { interfaces: readonly string[]; shared: readonly string[] }>> = {
  // What answers SQL has its pages made of its rows by `row/`.
  sources: {
    // And what a database is asked whose tables are replaced, and how rows are laid into pages step by step.
    interfaces: ["source.ts", "table-look.ts", "row/steps.ts"],
    shared: ["blob-image.ts", "row/pages.ts", "row/values.ts", "side-files.ts", "source-from.ts"],
  },
  // What is at the other end of a connection is called, cut into parts and read by what `object-*.ts` share.
  stores: {
    // And what is the same for every store that has it.
    interfaces: ["store.ts", "store-list.ts"],
    shared: [
      "checks.ts",
      "guarded.ts",
      "store-from.ts",
      "object-calls.ts",
      "object-parts.ts",
      "object-read.ts",
    ],
  },
};

/** Know the interfaces of drivers only: the CLI and the Worker build the drivers. */
const INTERFACES_ONLY = [
  "moments",
  "objects",
  "catalog",
  "stored",
  "dump",
  "run",
  "backups",
  "vault",
  "engine",
  "service",
  "api",
];

/**
 * The rooms inside two folders, lowest first: a file imports lower rooms and its own, and rooms on one floor know nothing
 * of each other. A room is a folder, or a file by itself.
 */
const ROOMS: Readonly<Record<string, { floors: readonly (readonly string[])[]; others?: number }>> = {
  worker: {
    floors: [
      ["schedules.ts"],
      ["registry.ts"],
      ["settings.ts"],
      ["jobs"],
      ["object"],
      ["bound.ts", "databases.ts"],
      ["bound-database.ts"],
      ["entrypoint.ts"],
      ["index.ts"],
    ],
  },
  service: {
    floors: [
      ["byte-range.ts", "identity.ts", "statements.ts"],
      ["options.ts"],
      ["arguments.ts", "migrations.ts"],
      ["jobs"],
      ["service.ts"],
      ["downloads.ts", "preview.ts", "statement-host.ts"],
    ],
  },
  // What is not named here is a command: one knows nothing of another.
  cli: {
    floors: [
      ["schema-values.ts", "standard-output.ts", "table.ts", "values.ts"],
      ["input.ts", "interrupt.ts", "output.ts"],
      [
        "check-result.ts",
        "checkpoint-holder.ts",
        "engine.ts",
        "hooks.ts",
        "mcp-server.ts",
        "preview.ts",
        "user-command.ts",
      ],
      ["hosted.ts", "project.ts"],
      ["places.ts", "control.ts"],
      ["files.ts", "target.ts"],
      ["config.ts"],
      ["mcp-tools.ts", "warm-copy.ts"],
      ["data-folder.ts"],
      [],
      ["main.ts"],
      ["start.ts"],
    ],
    others: 9,
  },
};

const NODE_FILES = /\.node\.ts$|^entry\/node\.ts$|^node\/|^sources\/file\/|^stores\/folder\/|^cli\/|^serve\//;
const WORKERD_FILES = /\.workerd\.ts$|^worker\//;

/** What breaks the layers in `sources` (paths below js/src), as sentences. */
export function tsViolations(sources: Sources): string[] {
  const problems = new Set<string>();
  for (const [path, text] of sources) {
    for (const specifier of importsOf(text)) {
      const problem = specifier.startsWith(".")
        ? fileProblem(path, posix.join(posix.dirname(path), specifier))
        : runtimeProblem(path, specifier);
      if (problem) problems.add(`js/src/${path}: ${problem}`);
    }
    const folder = folderOf(path);
    if (!FREE.test(path) && !(folder in TS_LAYERS)) {
      problems.add(`js/src/${path}: ${folder} has no layer: give it one in tests/layering/typescript.ts`);
    }
  }
  return [...problems];
}

/** Why the file `from` may not import the file `to`. */
function fileProblem(from: string, to: string): string | undefined {
  const [importer, imported] = [folderOf(from), folderOf(to)];
  if (imported === "pkg") return importer === "core" ? undefined : `imports ${to}: only core/ may`;
  if (FREE.test(from)) return undefined;
  if (ALLOWED.has(`${importer} -> ${imported}`)) return undefined;
  const [layer = 0, below] = [TS_LAYERS[importer], TS_LAYERS[imported]];
  if (below === undefined) return `imports ${to}, which is in no layer`;
  if (importer === imported && importer in ROOMS) return roomProblem(importer, from, to);
  if (importer === imported) {
    const drivers = DRIVERS[importer];
    const file = posix.relative(imported, to);
    if (!drivers || drivers.interfaces.includes(file) || drivers.shared.includes(file)) return undefined;
    if (driverOf(from) === driverOf(to)) return undefined;
    return `imports ${to}: one driver of ${importer}/ knows nothing of another`;
  }
  if (below >= layer) {
    return `${importer} (layer ${layer}) imports ${to} (layer ${below})`;
  }
  const only = DRIVERS[imported]?.interfaces;
  if (INTERFACES_ONLY.includes(importer) && only && !only.includes(posix.relative(imported, to))) {
    return `imports ${to}: ${importer}/ knows the interface ${imported}/${only[0]} only`;
  }
  return undefined;
}

/** Why the file `from` may not import `to`, in the same folder. */
function roomProblem(folder: string, from: string, to: string): string | undefined {
  const [room, other] = [from, to].map((path) => path.split("/")[1] ?? "") as [string, string];
  if (room === other) return undefined;
  const { floors, others = -1 } = ROOMS[folder] ?? { floors: [] };
  const [floor, below] = [room, other].map((each) => {
    const at = floors.findIndex((rooms) => rooms.includes(each));
    return at < 0 ? others : at;
  }) as [number, number];
  for (const [each, at] of [[room, floor] as const, [other, below] as const]) {
    if (at < 0) return `${folder}/${each} is on no floor: give it one in tests/layering/typescript.ts`;
  }
  if (below < floor) return undefined;
  return `${folder}/${room} (floor ${floor}) imports ${to} (floor ${below})`;
}

/** Why the file `from` may not import the module `specifier`. */
function runtimeProblem(from: string, specifier: string): string | undefined {
  if (specifier.startsWith("node:") && !NODE_FILES.test(from)) {
    return `imports ${specifier}, but is not named for Node (*.node.ts)`;
  }
  if (specifier.startsWith("cloudflare:") && !WORKERD_FILES.test(from)) {
    return `imports ${specifier}, but is not named for workerd (*.workerd.ts)`;
  }
  return undefined;
}

/** Files that import one another, however many there are between them: each circle as its files, by name. */
export function importCircles(sources: Sources): string[][] {
  const imports = new Map<string, string[]>();
  for (const [path, text] of sources) {
    const files = importsOf(text).filter((specifier) => specifier.startsWith("."));
    const paths = files.map((specifier) => posix.join(posix.dirname(path), specifier));
    imports.set(path, paths);
  }
  return circlesOf(imports);
}

function folderOf(path: string): string {
  return path.split("/")[0] ?? "";
}

/** A driver is a folder, or a file by itself: `stores/s3/put.ts` belongs to `stores/s3`. */
function driverOf(path: string): string {
  return path.split("/").slice(0, 2).join("/");
}

/** What a file imports and exports from, statically or not, types included. */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, "");
  const specifiers = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["'`]([^"'`\n]+)["'`]/g);
  return [...specifiers].map(([, specifier = ""]) => specifier);
}
