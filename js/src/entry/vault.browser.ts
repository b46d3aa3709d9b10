import { unpacked, useStatements } from "../core/index.ts";
import statement from "../inline/statement.js";
import "./browser.ts";

useStatements(() => unpacked(statement));

export * from "../vault/index.ts";
