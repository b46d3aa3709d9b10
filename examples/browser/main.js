import { run } from "./app.js";

const shown = document.querySelector("output");
run().then(
  (result) => {
    shown.textContent = JSON.stringify(result);
  },
  (error) => {
    shown.textContent = `${error.code ?? error.name}: ${error.message}`;
  },
);
