// Cloudflare's own SDK for TypeScript, 7.3.0, against the Worker.
import { typescriptSdk } from "./sdk-typescript.ts";
import { TestWorker } from "./worker.ts";

typescriptSdk(new TestWorker());
