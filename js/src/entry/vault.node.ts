import "../core/require-runtime.node.ts";
import { useStatements } from "../core/index.ts";
import { compiled } from "../core/platform.node.ts";
import "./node.ts";

useStatements(async () => compiled("statement"));

export * from "../vault/index.ts";
