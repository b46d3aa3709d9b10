// Runs in every tab: calls functions of the modules beside it here, or in a worker.
const workers = [];
let calls = 0;

/** Starts a worker; gives its number. */
globalThis.startWorker = async () => {
  const worker = new Worker("/tests/runtimes/browser/opfs/worker.js", { type: "module" });
  const waiting = new Map();
  worker.onmessage = ({ data: { id, value, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(Object.assign(new Error(error)));
    else resolve(value);
  };
  worker.onerror = (event) => console.error(event.message);
  const ask = (name, args) =>
    new Promise((resolve, reject) => {
      const id = ++calls;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, name, args });
    });
  await ask("backups.nothing", []);
  return workers.push({ ask, worker }) - 1;
};

globalThis.endWorker = (id) => workers[id].worker.terminate();

/** Calls `module.function`, here or in a worker. */
globalThis.call = async ([worker, name, args]) => {
  if (worker !== null) return workers[worker].ask(name, args);
  const [file, method] = name.split(".");
  const module = await import(`/tests/runtimes/browser/opfs/page-${file}.js`);
  return module[method](...args);
};

globalThis.ready = import("/entry/browser.js");
