/**
 * Frees the memory of bytes that nobody looks at any more: the collector takes tens of megabytes to notice. Not when
 * they are part of a larger buffer, which others may be in too; nor before Node 22, which cannot.
 */
export function free({ buffer, byteLength }: Uint8Array): void {
  const isAll = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  if (isAll && byteLength > 0) buffer.transfer?.(0);
}
