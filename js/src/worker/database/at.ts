// What a state may be named by.

/** A backup's id, or the first eight digits or more of it. */
export const ID = /^[0-9a-f]{8}(-[0-9a-f-]{0,27}|[0-9a-f]?)$/;

export const BOOKMARK = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/;
