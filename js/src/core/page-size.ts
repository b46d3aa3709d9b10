/** Whether pages of a SQLite database can have that size, in bytes. */
export function isPageSize(size: number): boolean {
  return Number.isInteger(size) && size >= 512 && size <= 65_536 && (size & (size - 1)) === 0;
}
