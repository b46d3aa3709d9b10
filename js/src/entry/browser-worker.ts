// The worker that `pagemark/browser` starts.
import "./browser.ts";
import { serve } from "../browser/worker.ts";

serve(globalThis as unknown as Parameters<typeof serve>[0]);
