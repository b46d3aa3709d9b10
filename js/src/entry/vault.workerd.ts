import { useStatements } from "../core/index.ts";
import wasm from "../statement.wasm";
import "./workerd.ts";

useStatements(async () => wasm);

export * from "../vault/index.ts";
