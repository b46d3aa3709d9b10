import { givenWasm, useStatements } from "../core/index.ts";
import "./slim.ts";

useStatements(() => givenWasm("statement"));

export * from "../vault/index.ts";
