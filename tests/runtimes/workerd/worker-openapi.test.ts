import { SELF } from "cloudflare:test";
import { expect, test } from "vitest";
import { app } from "../../../js/dist/worker/api/app.js";

type Described = Record<string, Record<string, { summary?: string; responses: object }>>;

const describedPaths = async () => {
  const answer = await SELF.fetch("https://pagemark/openapi.json");
  return ((await answer.json()) as { paths: Described }).paths;
};

test("every route is in /openapi.json, with what it does and answers", async () => {
  const paths = await describedPaths();
  const routes = app.routes
    .filter(({ method, path }) => method !== "ALL" && method !== "HEAD" && !path.endsWith("*"))
    .map(({ method, path }) => ({
      method: method.toLowerCase(),
      path: path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}"),
    }));
  expect(routes.length).toBeGreaterThan(20);
  for (const { method, path } of routes) {
    const described = paths[path]?.[method];
    expect(described?.summary, `${method} ${path}`).toBeTruthy();
    expect(Object.keys(described?.responses ?? {}), `${method} ${path}`).not.toEqual([]);
  }
  const count = Object.values(paths).flatMap((methods) => Object.keys(methods)).length;
  expect(count, "nothing is described that is not there").toBe(
    new Set(routes.map(({ method, path }) => `${method} ${path}`)).size,
  );
});

test("HEAD answers as GET does, without a body", async () => {
  const headers = { authorization: "Bearer all" };
  for (const path of ["/", "/healthz", "/openapi.json", "/client/v4/accounts/acct/d1/database"]) {
    const [head, get] = await Promise.all(
      ["HEAD", "GET"].map((method) => SELF.fetch(`https://pagemark${path}`, { method, headers })),
    );
    expect(head?.status, path).toBe(get?.status);
    expect(head?.headers.get("content-type"), path).toBe(get?.headers.get("content-type"));
    expect(await head?.text(), path).toBe("");
    await get?.body?.cancel();
  }
});
