// Publishes the package: `npm run release -- --dry-run` says whether it could be, and what would be published.
// Without it only the workflow .github/workflows/release.yml publishes, so that npm can say which commit a version is made of.
// `--accept` writes the list of the tarball's files, which whoever releases looks through and commits.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, tryRun } from "./lib/run.mjs";

const list = join(root, "scripts/release-files.txt");
const isDry = process.argv.includes("--dry-run");
const read = (path) => readFileSync(join(root, path), "utf8");
const manifest = JSON.parse(read("js/package.json"));
const { version } = manifest;
const tarball = packed();
const names = namesOf(tarball.files);
if (process.argv.includes("--accept")) {
  writeFileSync(list, `${names.join("\n")}\n`);
  console.log(
    `scripts/release-files.txt has ${names.length} names: look through what changed, and commit it`,
  );
  process.exit(0);
}

const checks = {
  "one version everywhere": versions,
  "the changelog has this version": changelog,
  "the tarball has what was signed off": contents,
  "it depends on no package": () =>
    Object.keys(manifest.dependencies ?? {}).map((name) => `depends on ${name}`),
  "its README's links work without the repository": links,
  "npm can say what it was built from": provenance,
  "publint and @arethetypeswrong/cli find nothing": resolves,
  "nothing is uncommitted": uncommitted,
};
let problems = 0;
for (const [what, check] of Object.entries(checks)) {
  const found = check();
  problems += found.length;
  console.log(`${found.length === 0 ? "ok   " : "wrong"} ${what}`);
  for (const problem of found.slice(0, 20)) console.log(`      ${problem}`);
}
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(
  `\n${tarball.filename}: ${tarball.entryCount} files, ${megabytes(tarball.size)}, ${megabytes(tarball.unpackedSize)} unpacked`,
);
console.log(`${tarball.integrity}`);
if (problems > 0) {
  console.log("\nNot publishable: mend what is wrong above.");
  process.exit(1);
}
if (isDry) console.log(`\npagemark ${version} can be published; nothing was.`);
else process.exit(publish());

function packed() {
  const { stdout, status, stderr } = spawnSync("npm", ["pack", "--dry-run", "--json", "--workspace", "js"], {
    ...{ cwd: root, encoding: "utf8", maxBuffer: 1 << 26 },
  });
  if (status !== 0) throw new Error(stderr);
  return Object.values(JSON.parse(stdout)).flat()[0];
}

/** A line for each source: what is compiled from `run/backup.ts` has three files. Hashes in names change with what they are of. */
function namesOf(files) {
  const plain = files.map(({ path }) =>
    path
      .replace(/-[0-9A-Z]{8}\.js$/, "-*.js")
      .replace(/(?:\.d\.ts|\.js\.map|\.js)$/, (end) =>
        existsSync(join(root, "js/src", path.replace(/^dist\//, "").replace(end, ".ts"))) ? ".ts" : end,
      ),
  );
  return [...new Set(plain)].sort();
}

function contents() {
  const wanted = new Set(existsSync(list) ? readFileSync(list, "utf8").trim().split("\n") : []);
  const more = names.filter((name) => !wanted.has(name)).map((name) => `${name} is new`);
  const fewer = [...wanted].filter((name) => !names.includes(name)).map((name) => `${name} is missing`);
  const wrong = [...fewer, ...more];
  return wrong.length > 0
    ? [...wrong.slice(0, 18), "if all of that is right: npm run release -- --accept"]
    : [];
}

function versions() {
  const found = {
    "Cargo.toml": /^version = "(.*)"/m.exec(read("Cargo.toml"))?.[1],
    "engine/Cargo.toml": /^version = "(.*)"/m.exec(read("engine/Cargo.toml"))?.[1],
    "package-lock.json": JSON.parse(read("package-lock.json")).packages.js.version,
    "pagemark --version": spawnSync(process.execPath, [join(root, "js/dist/bin/pagemark.js"), "--version"], {
      encoding: "utf8",
    }).stdout.trim(),
  };
  return Object.entries(found).flatMap(([where, what]) =>
    what === version ? [] : [`${where} has ${what}, js/package.json ${version}`],
  );
}

/** A dry run may come before the heading; there must be something to tell, though. */
function changelog() {
  const text = read("CHANGELOG.md");
  const heading = new RegExp(`^## ${version.replaceAll(".", "\\.")}\\b.*\\n\\n- `, "m");
  if (heading.test(text)) return [];
  if (isDry && /^## Unreleased\n\n- /m.test(text)) return [];
  return [`CHANGELOG.md has no "## ${version}" with something under it`];
}

function links() {
  const targets = [...read("js/README.md").matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target);
  return targets
    .filter((target) => !/^(https:|#)/.test(target))
    .map((target) => `${target} leads nowhere on npm`);
}

function provenance() {
  const { publishConfig = {}, repository = {} } = manifest;
  const workflow = read(".github/workflows/release.yml");
  return [
    ...(publishConfig.provenance === true ? [] : ["js/package.json has no publishConfig.provenance"]),
    ...(/^git\+https:\/\/.*\.git$/.test(repository.url ?? "") ? [] : ["js/package.json has no repository"]),
    ...(/^ +id-token: write$/m.test(workflow)
      ? []
      : ["the workflow may not ask for an identity (id-token: write)"]),
  ];
}

function resolves() {
  const quiet = { stdio: "ignore" };
  return [
    ...(tryRun("publint", ["js", "--strict"], quiet) === 0 ? [] : ["publint js --strict"]),
    ...(tryRun("attw", ["--pack", "js", "--profile", "esm-only"], quiet) === 0
      ? []
      : ["attw --pack js --profile esm-only"]),
  ];
}

function uncommitted() {
  const { stdout } = spawnSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" });
  return stdout.trim() === "" ? [] : stdout.trimEnd().split("\n");
}

function publish() {
  const { GITHUB_REF_NAME: tag, ACTIONS_ID_TOKEN_REQUEST_URL: identity } = process.env;
  if (!identity) {
    console.error(
      `Push the tag v${version}: the workflow publishes it. From here only --dry-run is possible.`,
    );
    return 1;
  }
  if (tag !== `v${version}`) {
    console.error(`The tag is ${tag}, the version ${version}.`);
    return 1;
  }
  return tryRun("npm", ["publish", "--workspace", "js", "--provenance", "--access", "public"]);
}
