// Builds the pages of the API and of docs/ into target/docs (`npm run docs`). `--check` only looks that every export has words,
// and compiles every example in them.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, tryRun } from "./lib/run.mjs";

const [home, from] = [join(root, ".cache/docs"), join(root, "scripts/docs")];
const ENTRIES = {
  node: "pagemark",
  slim: "pagemark/slim",
  "engine.node": "pagemark/engine",
  "vault.node": "pagemark/vault",
};
const isCheck = process.argv.includes("--check");
install();
const { Application, ReflectionKind } = await import(
  pathToFileURL(join(home, "node_modules/typedoc/dist/index.js")).href
);
const app = await Application.bootstrapWithPlugins({
  name: "Pagemark",
  entryPoints: [
    ...Object.keys(ENTRIES).map((name) => `js/src/entry/${name}.ts`),
    ...["client", "worker"].map((name) => `js/src/${name}/index.ts`),
  ],
  tsconfig: "js/tsconfig.json",
  // The package is compiled by another TypeScript.
  skipErrorChecking: true,
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  readme: "README.md",
  projectDocuments: ["docs/*.md"],
  sourceLinkTemplate: "https://github.com/pagemark/pagemark/blob/main/{path}#L{line}",
  hideGenerator: true,
  logLevel: "Error",
});
const project = await app.convert();
if (!project) process.exit(1);
const exported = Object.values(project.reflections).filter(
  (one) => one.parent?.kindOf(ReflectionKind.Module) && !one.kindOf(ReflectionKind.Reference),
);
const silent = exported.filter((one) => !hasWords(one));
for (const one of silent) {
  const [{ fileName, line } = {}] = one.sources ?? [];
  console.error(`${one.name} (${fileName}:${line}) has no words: say what it is, with units and errors`);
}
const code = (silent.length > 0 ? 1 : 0) || compileExamples();
if (!isCheck && code === 0) {
  const out = join(root, "target/docs");
  await app.generateDocs(project, out);
  console.log(`${exported.length} exports and ${project.documents?.length ?? 0} pages are in ${out}`);
}
process.exit(code);

function install() {
  const [wanted, installed] = [join(from, "package-lock.json"), join(home, ".installed-lock.json")];
  if (existsSync(installed) && readFileSync(installed, "utf8") === readFileSync(wanted, "utf8")) return;
  mkdirSync(home, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) cpSync(join(from, name), join(home, name));
  cpSync(join(root, ".npmrc"), join(home, ".npmrc"));
  if (tryRun("npm", ["ci", "--no-progress", "--loglevel=error"], { cwd: home }) !== 0) process.exit(1);
  cpSync(wanted, installed);
}

function hasWords(one) {
  const signatures = one.signatures ?? one.type?.declaration?.signatures;
  return (
    one.hasComment() || (signatures?.length > 0 && signatures.every((signature) => signature.hasComment()))
  );
}

/** Imports of what an example uses of the package and does not import: what it stands beside says where that is from. */
function importing(source) {
  const said = new Set(
    [...source.matchAll(/(?:import|const|let) \{?([^}=]*)/g)].flatMap(([, names]) => names.match(/\w+/g)),
  );
  return Object.entries(ENTRIES)
    .map(([name, entry]) => {
      const module = project.children.find((each) => each.name === `entry/${name}`);
      const used = (module?.children ?? [])
        .map((each) => each.name)
        .filter((each) => !said.has(each) && new RegExp(`(?<![.\\w])${each}\\(`).test(source));
      for (const each of used) said.add(each);
      return used.length > 0 ? `import { ${used.join(", ")} } from "${entry}";\n` : "";
    })
    .join("");
}

/** Types of the examples, each a module of its own, against the built package. */
function compileExamples() {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-examples-"));
  try {
    const comments = Object.values(project.reflections).flatMap(({ comment }) => comment?.blockTags ?? []);
    const examples = comments
      .filter(({ tag }) => tag === "@example")
      .map(({ content }) => content.map(({ text }) => text).join(""));
    const sources = new Set(
      examples.flatMap((text) => [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code)),
    );
    for (const [at, source] of [...sources].entries())
      writeFileSync(join(folder, `example-${at + 1}.ts`), `${importing(source)}${source}\nexport {};\n`);
    writeFileSync(
      join(folder, "env.d.ts"),
      `// What an example may take for granted: a Worker's, a page's, and SQLite's own build.
      declare const env: any, ctx: any, request: Request, signal: AbortSignal;
      declare const showOpenFilePicker: any, sqlite3InitModule: any;\n`,
    );
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const compilerOptions = {
      ...{
        module: "nodenext",
        target: "es2024",
        lib: ["ESNext", "DOM", "DOM.AsyncIterable"],
        types: ["node", "@cloudflare/workers-types"],
      },
      ...{ strict: true, noEmit: true, skipLibCheck: true },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    console.log(`${exported.length} exports, ${sources.size} examples`);
    return tryRun(join(root, "node_modules/.bin/tsc"), ["--project", folder]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
