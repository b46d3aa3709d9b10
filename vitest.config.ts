import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const RUNTIMES = ["tests/runtimes/workerd/**", "tests/runtimes/browser/**"];
/** Tests of Node that take more than ten seconds, and those of Node and Chromium that measure time or memory: scripts/test.mjs runs them apart. */
const APART = { slow: ["tests/**/*.slow.test.ts"], alone: ["tests/**/*.alone.test.ts"] };
const BROWSER = "tests/runtimes/browser/**/*";
const { PACE = "all", HOSTILE_STEPS = "" } = process.env;
/** What comes by itself, but takes longer than vitest's one second where two cores have much else to do. */
const expectation = { poll: { timeout: 10_000 } };

// Tests import the built package by its name, so `npm run build` comes first.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "node",
          // Two cores may have much else to do.
          testTimeout: 30_000,
          expect: expectation,
          include: APART[PACE as keyof typeof APART] ?? ["tests/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [...RUNTIMES, ...(PACE === "quick" ? Object.values(APART).flat() : [])],
        },
      },
      {
        // Runs inside workerd, the runtime of Cloudflare Workers.
        plugins: [
          cloudflareTest({
            main: "./tests/runtimes/workerd/objects.ts",
            miniflare: {
              compatibilityDate: "2026-10-01",
              r2Buckets: ["BACKUPS"],
              d1Databases: ["D1"],
              durableObjects: {
                OBJECT: { className: "EmptyObject", useSQLite: true },
                DATABASES: { className: "Database", useSQLite: true },
                REGISTRY: { className: "Registry", useSQLite: true },
              },
              bindings: {
                PAGEMARK_TOKEN: "all",
                PAGEMARK_READ_TOKEN: "look",
                PAGEMARK_QUERY_STEPS: "20000000",
                HOSTILE_STEPS,
              },
              // wrangler's rule for user code; without it Vite would instantiate the wasm itself.
              modulesRules: [{ type: "CompiledWasm", include: ["**/*.wasm"] }],
            },
          }),
        ],
        test: {
          name: "workerd",
          testTimeout: 30_000,
          expect: expectation,
          include: ["tests/runtimes/workerd/**/*.test.ts"],
        },
      },
      {
        // Runs in Node, and drives a real Chromium: see tests/runtimes/browser/chromium.ts.
        test: {
          name: "browser",
          include: [PACE === "alone" ? `${BROWSER}.alone.test.ts` : `${BROWSER}.test.ts`],
          exclude: PACE === "slow" ? APART.alone : [],
          testTimeout: 30_000,
          expect: expectation,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
