import { run } from "./app.js";

run().then(
  (result) => postMessage(JSON.stringify(result)),
  (error) => postMessage(`${error.code ?? error.name}: ${error.message}`),
);
