// Settings of the Worker that say who may come in.
import { expect, test } from "vitest";
import { ACCOUNT, TOKEN } from "./api.ts";
import { Cloudflare } from "./cloudflare-sdk.ts";
import { TestWorker } from "./worker.ts";

const worker = new TestWorker({ PAGEMARK_ACCOUNT_ID: ACCOUNT, PAGEMARK_EMAIL: "me@example.com" });

/** Lists databases of an account, with these credentials; the names, or what was thrown. */
async function listed(
  account_id: string,
  credentials: { apiToken?: string; apiKey?: string; apiEmail?: string },
) {
  const none = { apiToken: null, apiKey: null, apiEmail: null };
  const client = new Cloudflare({ ...none, ...credentials, baseURL: worker.api, maxRetries: 0 });
  try {
    return (await client.d1.database.list({ account_id })).result.map(({ name }) => name);
  } catch (error) {
    return error;
  }
}

test("D2 D13 PAGEMARK_ACCOUNT_ID: paths of another account are refused", async () => {
  await worker.create("shop");
  expect(await listed(ACCOUNT, { apiToken: TOKEN })).toEqual(["shop"]);
  expect(await listed("another", { apiToken: TOKEN })).toBeInstanceOf(Cloudflare.PermissionDeniedError);
  expect(await listed("a".repeat(33), { apiToken: TOKEN })).toBeInstanceOf(Cloudflare.PermissionDeniedError);
});

test("D13 PAGEMARK_EMAIL: a key comes with this address, or does not come in", async () => {
  expect(await listed(ACCOUNT, { apiKey: TOKEN, apiEmail: "me@example.com" })).toEqual(["shop"]);
  const other = await listed(ACCOUNT, { apiKey: TOKEN, apiEmail: "you@example.com" });
  expect(other).toBeInstanceOf(Cloudflare.AuthenticationError);
  const wrong = await listed(ACCOUNT, { apiKey: "wrong", apiEmail: "me@example.com" });
  expect(wrong).toBeInstanceOf(Cloudflare.PermissionDeniedError);
});
