// The unmodified wrangler 4.164.0 against the Worker.

import { TestWorker } from "./worker.ts";
import { basics } from "./wrangler-basics.ts";
import { files } from "./wrangler-files.ts";
import { timeTravel } from "./wrangler-time-travel.ts";

const worker = new TestWorker();

basics(worker, "4");
files(worker, "4");
timeTravel(worker, "4");
