// The page, as scripts/lib/dashboard.mjs builds it from js/src/api/dashboard.

/** Changes whenever any of it does; it is part of the files' paths, so that browsers may keep them for ever. */
export const version: string;
/** The page itself. */
export const page: string;
/** What it loads, by name. */
export const files: Readonly<Record<string, string>>;
