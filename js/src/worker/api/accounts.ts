import { Hono } from "hono";
import type { ApiContext } from "./auth.ts";
import { success } from "./envelope.ts";

/** What clients ask before they know their account. */
export const accounts = new Hono<ApiContext>();

const account = (id: string | undefined) => ({ id: id ?? "pagemark", name: "Pagemark" });

accounts.get("/accounts", (c) => success(c, [account(c.env.PAGEMARK_ACCOUNT_ID)]));
accounts.get("/memberships", (c) =>
  success(c, [{ id: "pagemark", status: "accepted", account: account(c.env.PAGEMARK_ACCOUNT_ID) }]),
);
accounts.get("/user", (c) =>
  success(c, { id: "pagemark", email: c.env.PAGEMARK_EMAIL ?? "pagemark@localhost" }),
);
/** With what the token allows, which is ours. */
accounts.get("/user/tokens/verify", (c) =>
  success(c, { id: "pagemark", status: "active", scope: c.get("scope") }),
);

/** Of what `wrangler d1 info` asks: no queries are counted here. */
accounts.post("/graphql", (c) =>
  c.json({ data: { viewer: { accounts: [{ d1AnalyticsAdaptiveGroups: [] }] } }, errors: null }),
);
