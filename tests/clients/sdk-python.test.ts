// Cloudflare's own SDK for Python, 5.9.0, against the Worker.
import { pythonSdk } from "./sdk-python.ts";
import { TestWorker } from "./worker.ts";

pythonSdk(new TestWorker());
