// The page: buttons and pictures. The app's database is written in one worker, backups are made in another.
import { inBackground } from "pagemark/browser";

const element = (id) => document.getElementById(id);
const workerOf = (file) => new Worker(new URL(file, import.meta.url), { type: "module" });
const db = inBackground("demo.sqlite3", {
  name: "demo",
  store: "demo-backups",
  worker: workerOf("backup-worker.js"),
});
const app = workerOf("worker.js");
const waiting = new Map();
/** Newest last. */
let backups = [];
let running;

app.onmessage = ({ data: { id, value, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(value);
};

function call(name, ...args) {
  const id = crypto.randomUUID();
  app.postMessage({ id, name, args });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

function say(text) {
  element("said").textContent = text;
}

const bytesOf = (count) =>
  count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} MB`;

function showRows(list, rows) {
  const lines = rows.map((row) => {
    const line = document.createElement("li");
    line.textContent = row.join("  ");
    return line;
  });
  list.replaceChildren(...lines);
}

async function showLive() {
  const { count, pages, size, rows } = await call("live");
  element("rows").textContent = count?.toLocaleString("en") ?? "…";
  element("pages").textContent = pages.toLocaleString("en");
  element("size").textContent = bytesOf(pages * size);
  showRows(element("latest"), rows);
  const { usage = 0 } = await navigator.storage.estimate();
  element("storage").textContent = bytesOf(usage);
}

/** One thing at a time: the buttons wait, Cancel works. */
async function doing(work) {
  if (running) return;
  running = new AbortController();
  document.body.toggleAttribute("data-busy", true);
  enable();
  try {
    await work(running.signal);
  } catch (error) {
    say(
      running.signal.aborted || error.name === "AbortError"
        ? "Canceled; nothing half-done is left."
        : error.message,
    );
  } finally {
    running = undefined;
    element("progress").value = 0;
    document.body.toggleAttribute("data-busy", false);
    enable();
    await showLive();
  }
}

function enable() {
  for (const id of ["backup", "full", "writes", "remove", "file"]) element(id).disabled = Boolean(running);
  element("cancel").disabled = !running;
  for (const id of ["back", "sqlite3", "sql", "time"])
    element(id).disabled = Boolean(running) || backups.length === 0;
}

const onProgress = ({ done, total }) => {
  element("progress").value = total > 0 ? done / total : 0;
};

async function backUp(signal, full) {
  const began = performance.now();
  const backup = await db.backup({ full, signal, onProgress });
  const ms = Math.round(performance.now() - began);
  const stored = bytesOf(backup.storedSize);
  say(
    `${backup.kind === "full" ? "Full" : "Incremental"}: ${stored} stored of ${bytesOf(backup.size)}, in ${ms} ms.`,
  );
  await listBackups();
  await showMap();
}

async function listBackups() {
  backups = (await db.backups()).reverse();
  const slider = element("time");
  slider.max = String(Math.max(backups.length - 1, 0));
  slider.value = slider.max;
  enable();
  await travel();
}

const chosen = () => backups[Number(element("time").value)];
const timeOf = ({ createdAt }) => new Date(createdAt).toLocaleTimeString();

async function travel() {
  const backup = chosen();
  element("when").textContent = backup
    ? `${timeOf(backup)}, ${backup.kind}, ${bytesOf(backup.size)}`
    : "no backup yet";
  const rows = backup ? await call("look", await db.asBlob({ at: backup.id })) : [];
  // The slider may have moved on meanwhile.
  if (chosen() === backup) showRows(element("then"), rows);
}

/** Colours the pages that the last backup stored: those that are not as they were in the one before. */
async function showMap() {
  const [backup, before] = [backups.at(-1), backups.at(-2)];
  if (!backup) return;
  const base = backup.kind === "full" ? undefined : before;
  const images = [backup, base].map((each) => each && db.asBlob({ at: each.id }));
  const stored = await call("differing", backup.pageSize, ...(await Promise.all(images)));
  const count = stored.filter(Boolean).length;
  element("map").setAttribute(
    "aria-label",
    `${count} of ${stored.length} pages were stored by the last backup`,
  );
  draw(stored);
  const { signal } = redrawing();
  addEventListener("resize", () => draw(stored), { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(stored), { signal });
}

let redraws = new AbortController();
function redrawing() {
  redraws.abort();
  redraws = new AbortController();
  return redraws;
}

function draw(stored) {
  const canvas = element("map");
  const scale = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  // Cells as large as fit into 160 pixels of height.
  let cell = 14;
  while (cell > 3 && Math.ceil(stored.length / Math.floor(width / cell)) * cell > 160) cell -= 1;
  const columns = Math.floor(width / cell);
  const height = Math.ceil(stored.length / columns) * cell;
  canvas.style.height = `${height}px`;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  const colours = getComputedStyle(document.documentElement);
  const [on, off] = ["--accent", "--same"].map((name) => colours.getPropertyValue(name));
  context.scale(scale, scale);
  for (const [page, isStored] of stored.entries()) {
    context.fillStyle = isStored ? on : off;
    context.fillRect((page % columns) * cell, Math.floor(page / columns) * cell, cell - 1, cell - 1);
  }
}

/** Exports the chosen state: into a file that the user picks, or as a download where browsers have no such picker. */
async function save(name, format, signal) {
  const { id: at } = chosen();
  if ("showSaveFilePicker" in globalThis) {
    await db.saveAs(await showSaveFilePicker({ suggestedName: name }), { at, format, signal, onProgress });
  } else {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await db.asBlob({ at, format, signal, onProgress }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
  say(`Exported as ${name}.`);
}

/** Has the app let go of its database, which `replace` then puts another in the place of. */
async function replacing(replace, what) {
  await call("pause");
  try {
    await replace();
  } finally {
    await call("resume");
  }
  await listBackups();
  await showMap();
  say(`The database is ${what} now; the newest state on the slider undoes it.`);
}

element("backup").onclick = () => doing((signal) => backUp(signal, false));
element("full").onclick = () => doing((signal) => backUp(signal, true));
element("cancel").onclick = () => running?.abort();
element("time").oninput = () => travel().catch((error) => say(error.message));
element("writes").onclick = async ({ currentTarget: button }) => {
  const on = button.getAttribute("aria-pressed") !== "true";
  await call("write", on);
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? "Pause writes" : "Resume writes";
};
element("back").onclick = () =>
  doing(async (signal) => {
    const { id: at } = chosen();
    const what = `as it was at ${timeOf(chosen())}`;
    await replacing(() => db.restore({ at, signal, onProgress }), what);
  });
element("sqlite3").onclick = () => doing((signal) => save("demo.sqlite3", "sqlite3", signal));
element("sql").onclick = () => doing((signal) => save("demo.sql.gz", "sql.gz", signal));
element("file").onchange = ({ currentTarget: input }) =>
  doing(async (signal) => {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    const refused = (error) => {
      throw new Error(`${file.name} was refused: ${error.message}`);
    };
    await replacing(() => db.replace(file, { signal, onProgress }).catch(refused), file.name);
  });
element("remove").onclick = () =>
  doing(async () => {
    await call("remove");
    const files = await navigator.storage.getDirectory();
    await files.removeEntry("demo-backups", { recursive: true }).catch(() => {});
    location.reload();
  });

await showLive().catch((error) => say(`${error.message}. Is the demo open in another tab?`));
await listBackups();
await showMap();
setInterval(() => !running && showLive(), 1000);
