// Cloudflare's own SDK for Python, 5.9.0, against `pagemark serve`, over plain files. `PAGEMARK_ALL_CLIENTS=1` runs it.
import { test } from "vitest";
import { pythonSdk } from "./sdk-python.ts";
import { TestServer } from "./served.ts";

if (process.env.PAGEMARK_ALL_CLIENTS === "1") pythonSdk(new TestServer());
else test.skip("runs where PAGEMARK_ALL_CLIENTS is set", () => {});
