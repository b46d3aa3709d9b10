// Runs every test suite, or those named: `node scripts/test.mjs [rust|node|workerd|browser|unprivileged]... [quick]`.
// `unprivileged` is what works with files, once more, as somebody who may next to nothing. `quick` leaves out `*.slow.test.ts`, what takes
// more than ten seconds, and `*.alone.test.ts`, what measures time or memory and has the machine to itself.
// All of them run even if one fails; what failed is named at the end, and the last line counts their tests together.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { root } from "./lib/run.mjs";
import { unprivileged } from "./lib/unprivileged.mjs";

const PROJECTS = ["node", "workerd", "browser"];
/** Folders of tests that work with files of the system. */
const WITHOUT_PRIVILEGES = ["tests/cli/", "tests/sources/file", "tests/stores/folder"];
/** What measures nothing: three at once, since each waits half of its time for processes, timers and disks. */
const TOGETHER = ["--maxWorkers=3"];
const isQuick = process.argv.includes("quick");
const wanted = process.argv.slice(2).filter((name) => name !== "quick");
const total = { passed: 0, failed: 0, skipped: 0 };
/** The names of the tests that failed, with their suites and files. */
const failures = [];

const wants = (suite) => wanted.length === 0 || wanted.includes(suite);
if (wants("rust")) await rust();
if (PROJECTS.some(wants)) await typescript(PROJECTS.filter(wants));
if (wants("unprivileged")) await withoutPrivileges();

for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

async function rust() {
  const nextest = (await stream("cargo", ["nextest", "--version"], "ignore")).status === 0;
  const args = nextest
    ? ["nextest", "run", "--workspace", "--no-fail-fast"]
    : ["test", "--workspace", "--no-fail-fast"];
  const { status, output } = await stream("cargo", args);
  const text = stripVTControlCharacters(output);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  // nextest: "Summary [0.1s] 9 tests run: 8 passed, 1 failed, 2 skipped"; cargo test: "test result: ok. 8 passed; ...".
  for (const line of text.match(/^\s*(Summary \[|test result: ).*$/gm) ?? []) {
    for (const [, count, what] of line.matchAll(/(\d+) (passed|failed|timed out|skipped|ignored)/g)) {
      counts[what === "timed out" ? "failed" : what === "ignored" ? "skipped" : what] += Number(count);
    }
  }
  // nextest names each twice: when it fails, and in its summary.
  const failed = [...text.matchAll(/^\s*(?:FAIL|TIMEOUT|SIG\w+) \[.*?\]\s*(?:\(.*?\)\s*)?(.+)$/gm)];
  add(counts, status, "rust", new Set(failed.map(([, name]) => name)));
}

async function typescript(projects) {
  const these = (...names) => projects.filter((project) => names.includes(project));
  const slow = isQuick ? [] : ["node"];
  await run(these("node"), "quick", TOGETHER);
  await run(these(...slow, "workerd", "browser"), "slow", TOGETHER);
  if (!isQuick) await run(these("node", "browser"), "alone");
}

/** `pace`, for vitest.config.ts: which tests of Node are run. */
async function run(projects, pace, args = []) {
  if (projects.length === 0) return;
  const report = join(root, "target/vitest.json");
  mkdirSync(join(root, "target"), { recursive: true });
  rmSync(report, { force: true });
  const { status } = await stream("vitest", [...vitest(projects, report), ...args], "pipe", {
    ...process.env,
    PACE: pace,
  });
  addReport(report, status, pace);
}

/** Without the slow ones: they are about large files, kills and full disks, and these have run. */
async function withoutPrivileges() {
  console.log("\nWithout privileges:");
  const folder = mkdtempSync(join(tmpdir(), "pagemark-unprivileged-"));
  // Somebody else writes the report, and what vitest keeps of its own.
  chmodSync(folder, 0o777);
  const report = join(folder, "vitest.json");
  // Nothing may be written beside the configuration either.
  const args = [
    ...vitest(["node"], report),
    "--configLoader",
    "runner",
    "--cache=false",
    ...TOGETHER,
    ...WITHOUT_PRIVILEGES,
  ];
  const { command, args: line, env } = unprivileged("vitest", args);
  const { status } = await stream(command, line, "pipe", { ...env, XDG_DATA_HOME: folder, PACE: "quick" });
  addReport(report, status, "unprivileged");
  rmSync(folder, { recursive: true });
}

function vitest(projects, report) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  return ["run", ...projects.flatMap((name) => ["--project", name]), ...reporters];
}

function addReport(report, status, suite) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    const failed = testResults.filter(({ status }) => status === "failed").flatMap(failedOf);
    add({ passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests }, status, suite, failed);
  } catch {
    // It ended before it could report.
    add({ passed: 0, failed: 0, skipped: 0 }, status || 1, suite, ["no report"]);
  }
}

/** The failed tests of a file; the file itself where it failed without one. */
function failedOf({ name, message, assertionResults }) {
  const file = relative(root, name);
  const tests = assertionResults.filter(({ status }) => status === "failed");
  if (tests.length === 0) return [`${file} ${message.split("\n")[0]}`];
  return tests.map(
    ({ fullName, failureMessages }) => `${file} ${fullName}: ${failureMessages[0]?.split("\n")[0]}`,
  );
}

/** Adds one suite. A suite that failed without a failed test (it did not compile, say) counts as one. */
function add(counts, status, suite, failed) {
  total.passed += counts.passed;
  total.failed += status === 0 ? counts.failed : Math.max(counts.failed, 1);
  total.skipped += counts.skipped;
  for (const name of failed) failures.push(`(${suite}) ${name}`);
  if (status !== 0 && counts.failed === 0)
    failures.push(`(${suite}) ended with ${status}, without a failed test`);
}

/** Runs a command, showing what it prints and keeping it too. */
function stream(command, args, show = "pipe", environment = process.env) {
  // Colours are lost behind a pipe, unless asked for.
  const env = process.stdout.isTTY
    ? { ...environment, FORCE_COLOR: "1", CARGO_TERM_COLOR: "always" }
    : environment;
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", show, show], env });
    let output = "";
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from?.setEncoding("utf8").on("data", (chunk) => {
        output += chunk;
        to.write(chunk);
      });
    }
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      resolve({ status: 1, output });
    });
    child.on("close", (status) => resolve({ status: status ?? 1, output }));
  });
}
