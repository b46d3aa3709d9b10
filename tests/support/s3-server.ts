// Real servers that speak S3, on loopback: moto's, and s3s-fs where S3S_FS names its program.
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { AwsClient } from "aws4fetch";
import type { S3Options } from "pagemark";
import { tempFolder } from "./temp.ts";

export const KEYS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG" };

export interface S3Server {
  endpoint: string;
  /** Makes a bucket; says how to open it. */
  bucket(name: string): Promise<S3Options>;
  stop(): void;
}

const python = join(import.meta.dirname, "../../.cache/s3/python");

/** moto's server, which keeps all in memory. */
export function moto(): Promise<S3Server> {
  return start((port) => {
    const code = "import sys; from moto.server import main; main(sys.argv[1:])";
    const env = { ...process.env, PYTHONPATH: python, ...environment() };
    return spawn("python3", ["-c", code, "-H", "127.0.0.1", "-p", String(port)], { env, stdio: "ignore" });
  });
}

/** The program of crates.io's s3s-fs, which keeps all in a folder. */
export const s3sFs = process.env.S3S_FS;

export function startS3sFs(): Promise<S3Server> {
  return start((port) => {
    const { accessKeyId, secretAccessKey } = KEYS;
    const keys = ["--access-key", accessKeyId, "--secret-key", secretAccessKey];
    const args = ["--host", "127.0.0.1", "--port", String(port), ...keys, tempFolder()];
    return spawn(s3sFs ?? "", args, { stdio: "ignore" });
  });
}

/** Environment variables with the keys, for programs. */
export function environment(endpoint?: string): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
    AWS_REGION: "us-east-1",
    ...(endpoint !== undefined && { AWS_ENDPOINT_URL_S3: endpoint }),
  };
}

async function start(run: (port: number) => ChildProcess): Promise<S3Server> {
  const port = await freePort();
  const child = run(port);
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new AwsClient({ ...KEYS, service: "s3", region: "us-east-1", retries: 0 });
  const stop = () => child.kill("SIGKILL");
  process.on("exit", stop);
  const until = Date.now() + 60_000;
  while (!(await fetch(endpoint).catch(() => undefined))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error("the S3 server did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    endpoint,
    async bucket(bucket) {
      const { status } = await client.fetch(`${endpoint}/${bucket}`, { method: "PUT" });
      if (status !== 200) throw new Error(`the bucket was not made: ${status}`);
      return { bucket, endpoint, credentials: KEYS };
    },
    stop,
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
