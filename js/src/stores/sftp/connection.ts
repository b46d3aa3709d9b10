// A connection that is made when it is needed, and what ssh2 calls back as promises.
import { checkGiven, checkText } from "../../errors/options.ts";
import { PagemarkError } from "../../errors/pagemark-error.ts";
import { StoreError } from "../../errors/store-error.ts";

/** Where {@link sftp} keeps objects, and how it gets in. */
export interface SftpOptions {
  host: string;
  /** 22 unless given. */
  port?: number;
  username: string;
  /** Folder at the other end: absolute, or from the user's own. */
  path: string;
  password?: string;
  /** Keys, as the files that `ssh-keygen` writes. The first that the server takes is used. */
  privateKeys?: readonly (string | Uint8Array)[];
  /** Opens those of them that are locked. */
  keyPassphrase?: string;
  /** Socket of an agent, such as `SSH_AUTH_SOCK` names. */
  agent?: string;
  /**
   * Says whether a host key, as in `known_hosts`, is the server's. Without it nobody could tell the server from another
   * that takes the backups.
   */
  isHostKey(key: Uint8Array): boolean;
}

export interface SftpAttributes {
  mode: number;
  size: number;
  /** In seconds since 1970. */
  mtime: number;
}

/** What the store asks of the other end. */
export interface Sftp {
  open(path: string, flags: string, attributes?: { mode: number }): Promise<unknown>;
  close(handle: unknown): Promise<void>;
  read(handle: unknown, into: Uint8Array, position: number): Promise<number>;
  write(handle: unknown, bytes: Uint8Array, position: number): Promise<void>;
  setTimes(handle: unknown, time: Date): Promise<void>;
  /** Does nothing where the server cannot. */
  fsync(handle: unknown): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string): Promise<void>;
  lstat(path: string): Promise<SftpAttributes>;
  readdir(path: string): Promise<{ filename: string; attrs: SftpAttributes }[]>;
}

type Back = (error: unknown, value?: unknown, more?: unknown) => void;
/** What ssh2 has of it. */
type Raw = { [name in string]: (...args: unknown[]) => void };
interface Client {
  on(event: string, listener: (...args: never[]) => void): this;
  connect(options: object): void;
  setNoDelay(isOn: boolean): void;
  sftp(back: (error: unknown, sftp: Raw) => void): void;
  end(): void;
}

/** In milliseconds, for all that it takes to be let in. */
const PATIENCE = 30_000;
/** An idle connection is closed after this, in milliseconds; it keeps no process alive. */
const IDLE = 5_000;

export class SftpConnection {
  readonly description: string;
  readonly #options: SftpOptions;
  #server: Promise<Sftp> | undefined;
  #client: Client | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busy = 0;

  constructor(options: SftpOptions) {
    const { host, port = 22, username, path } = checkGiven(options, "{ host, username, path, isHostKey }");
    for (const [name, value] of Object.entries({ host, username, path })) checkText(value, name);
    this.#options = options;
    this.description = `sftp://${username}@${host}${port === 22 ? "" : `:${port}`}/${path.replace(/^\//, "")}`;
  }

  /** @throws StoreError */
  async open(signal: AbortSignal | undefined): Promise<Sftp> {
    signal?.throwIfAborted();
    this.#server ??= this.#connect();
    const server = await this.#server;
    signal?.throwIfAborted();
    this.#idle();
    return server;
  }

  /** Makes of a failure what the user of the store gets. */
  async run<T>(doing: string, key: string, call: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await call();
    } catch (error) {
      const meaning = MEANINGS[sftpFailure(error) ?? "none"];
      // What the body of a put throws is its maker's.
      if (meaning === undefined || error instanceof PagemarkError) throw error;
      if (meaning[0] === "STORE_UNAVAILABLE") this.#drop();
      const message = `cannot ${doing} ${JSON.stringify(key)} in ${this.description}: ${meaning[1]}`;
      throw new StoreError(meaning[0], message, { name: key }, { cause: error });
    } finally {
      this.#busy--;
      this.#idle();
    }
  }

  async #connect(): Promise<Sftp> {
    const { privateKeys = [], ...options } = this.#options;
    const attempts = [...privateKeys.map((privateKey) => ({ privateKey })), {}];
    let last: unknown;
    for (const attempt of attempts) {
      // Without a key there is nothing to try but an agent and a password.
      if (
        !("privateKey" in attempt) &&
        !options.agent &&
        options.password === undefined &&
        attempts.length > 1
      )
        continue;
      try {
        return await this.#connectOnce(attempt);
      } catch (error) {
        last = error;
        if ((error as { level?: string }).level !== "client-authentication" && !isKeyProblem(error)) break;
      }
    }
    this.#server = undefined;
    if (last instanceof StoreError) throw last;
    const isDenied = (last as { level?: string })?.level === "client-authentication" || isKeyProblem(last);
    throw new StoreError(
      isDenied ? "STORE_DENIED" : "STORE_UNAVAILABLE",
      isDenied
        ? `${this.description}: the server lets nobody in with these keys and this password; check them, and the user's name`
        : `${this.description}: there is no connection; check the host's name and the port, and try again later`,
      { name: this.description },
      { cause: last },
    );
  }

  async #connectOnce(attempt: { privateKey?: string | Uint8Array }): Promise<Sftp> {
    const Client = await clientClass();
    const { host, port = 22, username, password, agent, keyPassphrase, isHostKey } = this.#options;
    const client = new Client();
    let isStranger = false;
    const connected = new Promise<Raw>((resolve, reject) => {
      client.on("error", (error: never) => {
        this.#drop();
        reject(error);
      });
      client.on("close", () => this.#drop());
      client.on("ready", () => client.sftp((error, raw) => (error ? reject(error) : resolve(raw))));
      client.connect({
        host,
        port,
        username,
        readyTimeout: PATIENCE,
        hostVerifier: (key: Uint8Array) => {
          isStranger = !isHostKey(key);
          return !isStranger;
        },
        ...(password !== undefined && { password }),
        ...(agent !== undefined && { agent }),
        ...(attempt.privateKey !== undefined && { privateKey: keyOf(attempt.privateKey) }),
        ...(keyPassphrase !== undefined && { passphrase: keyPassphrase }),
      });
      // Otherwise each request waits for the other end's acknowledgement of the one before: some 40 ms.
      client.setNoDelay(true);
    });
    try {
      const raw = await connected;
      this.#client = client;
      return promised(raw);
    } catch (error) {
      client.end();
      if (!isStranger) throw error;
      const message = `${this.description}: its host key is not known; if the server is yours, run ssh-keyscan -p ${port} ${host} >> ~/.ssh/known_hosts`;
      throw new StoreError("STORE_HOST_KEY", message, { name: this.description }, { cause: error });
    }
  }

  #idle(): void {
    clearTimeout(this.#timer);
    if (this.#client === undefined) return;
    this.#timer = setTimeout(() => (this.#busy > 0 ? this.#idle() : this.#drop()), IDLE);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#server = undefined;
    const client = this.#client;
    this.#client = undefined;
    client?.end();
  }
}

function keyOf(key: string | Uint8Array): unknown {
  return typeof key === "string" ? key : new TextDecoder().decode(key);
}

/** A key that is locked, or none. */
function isKeyProblem(error: unknown): boolean {
  return error instanceof Error && /privateKey|passphrase/i.test(String(error));
}

async function clientClass(): Promise<new () => Client> {
  // Not for bundlers: only those who use this store install it.
  const name = "ssh2";
  try {
    const module = (await import(/* @vite-ignore */ name)) as { default: { Client: new () => Client } };
    return module.default.Client;
  } catch (cause) {
    const message =
      "the package ssh2 is not installed; npm install ssh2 beside pagemark, with -g where pagemark is global";
    throw new StoreError("STORE_LIBRARY", message, {}, { cause });
  }
}

/** What a failure of the other end is. */
export type Status = "missing" | "denied" | "broken" | "refused";

export function sftpFailure(error: unknown): Status | undefined {
  if (!(error instanceof Error) || error instanceof PagemarkError) return undefined;
  const { code } = error as { code?: unknown };
  // RFC draft-ietf-secsh-filexfer-02, section 7
  if (code === 2) return "missing";
  if (code === 3) return "denied";
  if (code === 6 || code === 7 || code === "ECONNRESET" || code === "EPIPE") return "broken";
  if (typeof code === "number") return "refused";
  return /^No response from server|not connected|closed/i.test(String(error.message)) ? "broken" : undefined;
}

const MEANINGS: Readonly<Record<string, readonly [`STORE_${string}`, string]>> = {
  denied: ["STORE_DENIED", "the server does not permit it; check whose the folder is"],
  missing: ["STORE_MISSING", "there is no such folder or file"],
  broken: ["STORE_UNAVAILABLE", "the connection broke; try again"],
  refused: ["STORE_IO", "the server refuses it; it may be full or read-only, see the cause"],
};

function promised(raw: Raw): Sftp {
  const call = <T>(name: string, ...args: unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      const back: Back = (error, value) => (error ? reject(error) : resolve(value as T));
      const method = raw[name];
      if (method === undefined) reject(new Error(`ssh2 has no ${name}`));
      else method.call(raw, ...args, back);
    });
  return {
    open: (path, flags, attributes = { mode: 0o600 }) => call("open", path, flags, attributes),
    close: (handle) => call("close", handle),
    read: (handle, into, position) =>
      new Promise((resolve, reject) => {
        const back = (error: unknown, count: number) => {
          if (!error) return resolve(count);
          if ((error as { code?: unknown }).code === 1) return resolve(0); // the end of the file
          reject(error);
        };
        // ssh2 takes Node's buffers only.
        raw.read?.(handle, asBuffer(into), 0, into.length, position, back);
      }),
    write: (handle, bytes, position) => call("write", handle, asBuffer(bytes), 0, bytes.length, position),
    setTimes: (handle, time) => call("futimes", handle, time, time),
    fsync: (handle) =>
      call<void>("ext_openssh_fsync", handle).catch((error: unknown) => {
        if (sftpFailure(error) !== "broken") return;
        throw error;
      }),
    rename: (from, to) => call("rename", from, to),
    unlink: (path) => call("unlink", path),
    mkdir: (path) => call("mkdir", path, { mode: 0o700 }),
    lstat: (path) => call("lstat", path),
    readdir: (path) => call("readdir", path),
  };
}

function asBuffer(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
