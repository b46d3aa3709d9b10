// Measuring whole commands, and showing the figures side by side.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./run.mjs";

/** Exit code, wall and processor seconds, and peak memory in bytes of a command. */
export function measure(command) {
  const wrapper = join(root, "scripts/lib/measure.py");
  // What a command prints is kept out of the report; an error shows in its exit code.
  const stdio = ["ignore", "pipe", process.env.BENCH_VERBOSE ? "inherit" : "ignore"];
  return JSON.parse(execFileSync("python3", [wrapper, ...command], { encoding: "utf8", stdio }));
}

/** Lets what earlier commands wrote reach the disk, so that the next one does not pay for it. */
export function settle() {
  execFileSync("sync");
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Prints a line for each: median, range, ratio to the first, peak memory, and that above an idle Node. */
export function report(results, idleMemory) {
  const first = median(results[0].measured.map(({ wall }) => wall));
  const rows = results.map(({ name, measured }) => {
    const walls = measured.map(({ wall }) => wall);
    const memory = Math.max(...measured.map(({ memory }) => memory));
    return {
      command: name,
      "median s": median(walls).toFixed(3),
      "min s": Math.min(...walls).toFixed(3),
      "max s": Math.max(...walls).toFixed(3),
      "cpu s": median(measured.map(({ cpu }) => cpu)).toFixed(3),
      "first / this": (first / median(walls)).toFixed(2),
      "peak MB": (memory / 1e6).toFixed(0),
      "above idle MiB": ((memory - idleMemory) / 2 ** 20).toFixed(0),
    };
  });
  console.table(rows);
}
