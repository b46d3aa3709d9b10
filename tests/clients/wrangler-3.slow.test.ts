// The unmodified wrangler 3.114.17 against the Worker.
import { TestWorker } from "./worker.ts";
import { backups } from "./wrangler-backups.ts";
import { basics } from "./wrangler-basics.ts";
import { files } from "./wrangler-files.ts";
import { timeTravel } from "./wrangler-time-travel.ts";

const worker = new TestWorker();

basics(worker, "3");
files(worker, "3");
timeTravel(worker, "3");
backups(worker, "3");
