// A bucket behind real servers that speak S3. What they answer when they fail: s3-faults.test.ts.
import { type S3Options, s3 } from "pagemark";
import { afterAll, beforeAll, describe } from "vitest";
import { storeContract } from "../contracts/store.ts";
import { moto, type S3Server, s3sFs, startS3sFs } from "../support/s3-server.ts";

const servers = {
  "s3 on moto": moto,
  ...(s3sFs !== undefined && { "s3 on s3s-fs": startS3sFs }),
};

describe.each(Object.entries(servers))("%s", (name, start) => {
  let server: S3Server;
  let options: S3Options;
  let count = 0;

  beforeAll(async () => {
    server = await start();
    options = await server.bucket("backups");
  }, 60_000);
  afterAll(() => server.stop());

  const makeStore = async (more: Partial<S3Options>) => {
    return { store: s3({ ...options, prefix: `of test/${count++}`, patience: { delay: 20 }, ...more }) };
  };
  const traits = {
    keepsModified: false,
    isSlow: start === moto,
    longKeys: start === moto,
    tellsFolders: start === moto,
  };
  // s3s-fs knows `If-None-Match`, but looks and then writes: two of many puts at once may win. So claims keep them apart there,
  // for four requests a put, which moto answers slowly.
  const conditionalPut = start === moto;
  storeContract(name, () => makeStore({ conditionalPut }), { ...traits, isSlow: true });
});
