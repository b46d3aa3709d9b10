#!/usr/bin/env node
// The command's first file: an old Node could not even read the others.
import { runtimeProblem } from "../core/node-version.node.ts";

const problem = runtimeProblem();
if (problem === undefined) {
  void import("./main.ts");
} else {
  const asJson = JSON.stringify({ error: { code: "RUNTIME_OLD", message: problem, at: {} } });
  console.error(process.argv.includes("--json") ? asJson : `error: ${problem} [RUNTIME_OLD]`);
  process.exitCode = 1;
}
