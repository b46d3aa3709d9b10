// The worker that `sharedDatabase` of `pagemark/browser` starts.
import "./engine.browser.ts";
import { serveDatabase } from "../browser/shared-member.ts";

serveDatabase(globalThis as unknown as Parameters<typeof serveDatabase>[0]);
