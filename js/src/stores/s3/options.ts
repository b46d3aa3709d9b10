import { PagemarkError } from "../../errors/pagemark-error.ts";
import { isSegment } from "../checks.ts";
import type { Patience } from "../object-calls.ts";

/** Keys of an account. Whoever has them can do what they permit: they are in no message and no description. */
export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Beside temporary keys. */
  sessionToken?: string;
  /** When the keys stop working. They are asked for again before. */
  expiration?: Date;
}

/** Which bucket, where, with which keys, and what the service can do. */
export interface S3Options {
  bucket: string;
  /** Folder in the bucket, without which the bucket is the store. */
  prefix?: string;
  /** `us-east-1` unless given; where the bucket turns out to be elsewhere, its own region is taken. */
  region?: string;
  /** URL of a service other than AWS. */
  endpoint?: string;
  /** Whether the bucket is in the path instead of the host. Unless given: with an endpoint, and where the name is no host's. */
  pathStyle?: boolean;
  /** The keys, or what fetches them: it is called at the first request, and again when they expired or were refused. */
  credentials: S3Credentials | (() => S3Credentials | Promise<S3Credentials>);
  /** Such as `STANDARD_IA`. */
  storageClass?: string;
  /** Encryption by the service: `AES256`, `aws:kms` or `aws:kms:dsse`. */
  encryption?: string;
  /** The key that `aws:kms` uses. */
  kmsKeyId?: string;
  /**
   * Whether the service refuses a put of a key that is taken (`If-None-Match: *`). Unless given, it is tried out before the
   * first put. Where it does not, a put takes three requests more, as docs/stores.md says.
   */
  conditionalPut?: boolean;
  /** Sends SHA-256 with every put in S3's own header, too, which buckets with object lock demand. */
  checksum?: boolean;
  /** Size of a part of a large object in bytes, at least 5 MiB; there are at most 10,000. 8 MiB unless given. */
  partSize?: number;
  patience?: Partial<Patience>;
}

const MIB = 1024 * 1024;
/** The smallest part that the service takes, but for the last. */
const SMALLEST_PART = 5 * MIB;
const LARGEST_PART = 512 * MIB;
const PATIENCE: Patience = { attempts: 5, delay: 200, timeout: 30_000 };

/** Where requests go and what is sent with each put. */
export interface S3Place {
  bucket: string;
  /** Empty, or ending in `/`. */
  prefix: string;
  /** The bucket's URL, without a `/` at its end; the AWS one of another region, too. */
  baseOf(region: string): string;
  region: string;
  putHeaders: Record<string, string>;
  partSize: number;
  patience: Patience;
  description: string;
}

/** @throws PagemarkError `USAGE` when an option is none */
export function placeOf(options: S3Options): S3Place {
  const { bucket, region = "us-east-1", endpoint, partSize = 8 * MIB } = options;
  const { storageClass, encryption, kmsKeyId } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(bucket))
    throw new PagemarkError("USAGE", "a bucket's name has 3 to 63 letters, digits, dots and hyphens");
  if (!/^[a-z0-9-]{2,40}$/.test(region))
    throw new PagemarkError("USAGE", "a region is a name such as eu-central-1, or auto");
  if (!(Number.isInteger(partSize) && partSize >= SMALLEST_PART && partSize <= LARGEST_PART))
    throw new PagemarkError("USAGE", "a part has 5 MiB to 512 MiB");
  const prefix = prefixOf(options.prefix ?? "");
  const sent = {
    "x-amz-storage-class": storageClass,
    "x-amz-server-side-encryption": encryption,
    "x-amz-server-side-encryption-aws-kms-key-id": kmsKeyId,
  };
  const putHeaders: Record<string, string> = {};
  for (const [name, value] of Object.entries(sent)) {
    if (value === undefined) continue;
    if (!/^[!-~]{1,2048}$/.test(value)) throw new PagemarkError("USAGE", `${name} cannot have that value`);
    putHeaders[name] = value;
  }
  return {
    bucket,
    prefix,
    region,
    baseOf: baseOf(bucket, endpoint, options.pathStyle),
    putHeaders,
    partSize,
    patience: { ...PATIENCE, ...options.patience },
    description: `s3://${bucket}/${prefix.slice(0, -1)}`,
  };
}

function baseOf(bucket: string, endpoint: string | undefined, pathStyle: boolean | undefined) {
  // A dot in the bucket's name does not fit the certificate of *.s3.amazonaws.com, and capitals fit no host.
  const isHost = /^[a-z0-9-]+$/.test(bucket);
  const inPath = pathStyle ?? (endpoint !== undefined || !isHost);
  const url = (of: URL) => {
    const path = of.pathname.replace(/\/+$/, "");
    return inPath ? `${of.origin}${path}/${bucket}` : `${of.protocol}//${bucket}.${of.host}${path}`;
  };
  if (endpoint !== undefined) {
    const base = url(endpointUrl(endpoint));
    return () => base;
  }
  return (region: string) => {
    const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    return url(new URL(`https://s3.${region}.${domain}`));
  };
}

function endpointUrl(endpoint: string): URL {
  const text = /^https?:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && url.username === "" && url.password === "" && url.search === "" && url.hash === "") return url;
  // It may hold what is no endpoint but a secret.
  const message = "the endpoint must be a URL such as https://s3.example.com, without a user and parameters";
  throw new PagemarkError("USAGE", message);
}

function prefixOf(prefix: string): string {
  const segments = prefix.split("/").filter((each) => each !== "");
  for (const segment of segments) {
    if (!isSegment(segment) && !/^[\p{L}\p{N} !'()*._=@,+:-]+$/u.test(segment))
      throw new PagemarkError("USAGE", `${JSON.stringify(segment)} cannot be part of a prefix in a bucket`);
    if (segment === "." || segment === ".." || segment.toLowerCase() === ".pagemark")
      throw new PagemarkError("USAGE", `${JSON.stringify(segment)} cannot be part of a prefix in a bucket`);
  }
  return segments.map((each) => `${each}/`).join("");
}
