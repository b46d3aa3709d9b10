// A dedicated worker that calls what a tab asks it to.
globalThis.onmessage = async ({ data: { id, name, args } }) => {
  try {
    const [file, method] = name.split(".");
    const module = await import(`./page-${file}.js`);
    postMessage({ id, value: await module[method](...args) });
  } catch (error) {
    postMessage({ id, error: `${error?.code ?? ""} ${error?.message ?? error}\n${error?.stack ?? ""}` });
  }
};
