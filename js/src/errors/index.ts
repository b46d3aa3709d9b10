export { ConflictError } from "./conflict-error.ts";
export { DamageError } from "./damage-error.ts";
export { ObjectExistsError } from "./object-exists-error.ts";
export { ObjectMissingError } from "./object-missing-error.ts";
export {
  checkCall,
  checkGiven,
  checkHas,
  checkList,
  checkOnly,
  checkOptions,
  checkText,
  wrongType,
} from "./options.ts";
export { PagemarkError, type Place } from "./pagemark-error.ts";
export { SourceError } from "./source-error.ts";
export { SqlError } from "./sql-error.ts";
export { StoreError } from "./store-error.ts";
