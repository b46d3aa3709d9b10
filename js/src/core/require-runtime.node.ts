// Imported before everything else, so that an old runtime is named and not the first function that it lacks.
import { PagemarkError } from "../errors/pagemark-error.ts";
import { runtimeProblem } from "./node-version.node.ts";

const problem = runtimeProblem();
if (problem) throw new PagemarkError("RUNTIME_OLD", problem);
