// Cloudflare's own SDK for TypeScript, 7.3.0, as npm installs it in .cache/clients.
import { createRequire } from "node:module";
import { join } from "node:path";
// biome-ignore lint/correctness/useImportExtensions: the package has its types beside it
import type SDK from "../../.cache/clients/node_modules/cloudflare/index.mjs";

const require = createRequire(join(import.meta.dirname, "../../.cache/clients/package.json"));

export const { default: Cloudflare } = require("cloudflare") as { default: typeof SDK };
