import { memory, opfs, opfsStore, pagemark } from "pagemark";

const DATABASE = "demo.sqlite3";
const element = (id) => document.getElementById(id);
const store = opfsStore("demo-backups");
const db = pagemark(opfs(`/${DATABASE}`), { name: "demo", store });
const app = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
/** Newest last. */
let backups = [];
/** The pages of the last backup, to compare the next one with. */
let last;
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
      error.code === "CANCELED" || running.signal.aborted
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
  await showMap(backup);
}

async function listBackups() {
  backups = [];
  for await (const backup of db.backups()) backups.unshift(backup);
  const slider = element("time");
  slider.max = String(Math.max(backups.length - 1, 0));
  slider.value = slider.max;
  enable();
  await travel();
}

const chosen = () => backups[Number(element("time").value)];

async function imageOf(backup) {
  return new Uint8Array(await new Response(await db.download(backup.id)).arrayBuffer());
}

async function travel() {
  const backup = chosen();
  if (!backup) return showRows(element("then"), []);
  const when = new Date(backup.createdAt).toLocaleTimeString();
  element("when").textContent = `${when}, ${backup.kind}, ${bytesOf(backup.size)}`;
  const rows = await call("look", await imageOf(backup));
  // The slider may have moved on meanwhile.
  if (chosen() === backup) showRows(element("then"), rows);
}

/** Colours the pages that the last backup stored: those that are not as they were in the one before. */
async function showMap(backup) {
  const [before, now, size] = [last, await imageOf(backup), backup.pageSize];
  last = now;
  const pages = now.length / size;
  const isStored = (page) => {
    if (backup.kind === "full" || !before || before.length < (page + 1) * size) return true;
    for (let at = page * size; at < (page + 1) * size; at += 1) if (before[at] !== now[at]) return true;
    return false;
  };
  const stored = Array.from({ length: pages }, (_, page) => isStored(page));
  const count = stored.filter(Boolean).length;
  element("map").setAttribute("aria-label", `${count} of ${pages} pages were stored by the last backup`);
  draw(stored);
  addEventListener("resize", () => draw(stored), { signal: redrawing() });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(stored), {
    signal: redraws.signal,
  });
}

let redraws = new AbortController();
function redrawing() {
  redraws.abort();
  redraws = new AbortController();
  return redraws.signal;
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

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Replaces the database after a backup of what is there. */
async function replace(signal, bytes, what) {
  await backUp(signal, false);
  await call("replace", bytes);
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
    const backup = chosen();
    await replace(
      signal,
      await imageOf(backup),
      `as it was at ${new Date(backup.createdAt).toLocaleTimeString()}`,
    );
  });
element("sqlite3").onclick = () =>
  doing(async (signal) => {
    const { id } = chosen();
    save(await new Response(await db.download(id, { signal, onProgress })).blob(), "demo.sqlite3");
    say("Exported as demo.sqlite3: any SQLite opens it.");
  });
element("sql").onclick = () =>
  doing(async (signal) => {
    const sql = await db.dump({ at: chosen().id, signal, onProgress });
    save(await new Response(sql.pipeThrough(new CompressionStream("gzip"))).blob(), "demo.sql.gz");
    say("Exported as demo.sql.gz.");
  });
element("file").onchange = ({ currentTarget: input }) =>
  doing(async (signal) => {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    // A backup of the file reads it as SQLite would, and what comes out of it is proved.
    const given = pagemark(memory(file), { name: "given", store: opfsStore("demo-given") });
    const { id } = await given.backup({ signal, onProgress, full: true });
    const bytes = new Uint8Array(await new Response(await given.download(id)).arrayBuffer());
    await given.delete(id);
    await replace(signal, bytes, file.name);
  });
element("remove").onclick = () =>
  doing(async () => {
    await call("remove");
    const files = await navigator.storage.getDirectory();
    for (const name of ["demo-backups", "demo-given"])
      await files.removeEntry(name, { recursive: true }).catch(() => {});
    location.reload();
  });

await showLive().catch((error) => say(`${error.message}. Is the demo open in another tab?`));
await listBackups();
setInterval(() => !running && showLive(), 1000);
