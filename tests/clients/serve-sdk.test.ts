// Cloudflare's own SDK for TypeScript, 7.3.0, against `pagemark serve`, over plain files.
import { typescriptSdk } from "./sdk-typescript.ts";
import { TestServer } from "./served.ts";

typescriptSdk(new TestServer());
