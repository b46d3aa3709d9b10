// What the store uses of an R2 binding. Described here, so that the package needs no types of Cloudflare's: the binding
// of a Worker (`R2Bucket`) has this shape, and so has what miniflare gives to Node.

/** An R2 bucket, as a Worker's `env` has it. */
export interface R2Binding {
  head(key: string): Promise<R2Found | null>;
  /** Without a body when `onlyIf` does not hold. */
  get(key: string, options?: R2GetOptions): Promise<R2FoundBody | null>;
  /** `null` when `onlyIf` does not hold. */
  put(
    key: string,
    value: ReadableStream<Uint8Array> | Uint8Array,
    options?: R2PutOptions,
  ): Promise<R2Found | null>;
  createMultipartUpload(key: string): Promise<R2Upload>;
  resumeMultipartUpload(key: string, uploadId: string): R2Upload;
  delete(key: string): Promise<void>;
  list(options?: R2ListOptions): Promise<R2Page>;
}

export interface R2Found {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly uploaded: Date;
  readonly customMetadata?: Record<string, string>;
}

export interface R2FoundBody extends R2Found {
  readonly body?: ReadableStream<Uint8Array>;
}

export interface R2GetOptions {
  range?: { offset: number; length?: number };
  onlyIf?: { etagMatches: string };
}

export interface R2PutOptions {
  onlyIf?: { etagDoesNotMatch: string };
  customMetadata?: Record<string, string>;
}

export interface R2Upload {
  readonly key: string;
  readonly uploadId: string;
  uploadPart(partNumber: number, value: Uint8Array): Promise<R2Part>;
  complete(parts: R2Part[]): Promise<R2Found>;
  abort(): Promise<void>;
}

export interface R2Part {
  partNumber: number;
  etag: string;
}

export interface R2ListOptions {
  prefix?: string;
  limit?: number;
  cursor?: string;
  startAfter?: string;
  include?: "customMetadata"[];
}

export interface R2Page {
  objects: R2Found[];
  truncated: boolean;
  /** When it is truncated. */
  cursor?: string;
}
