/**
 * The name of what ends a handle at the end of its block (`using`). Safari, and Firefox before 141, do not have it: there code that was
 * compiled from `using` refuses to run, so that what runs in browsers must not use it, and the method has a name that a polyfill may take.
 */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");
