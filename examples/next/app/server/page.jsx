// Runs on the server, where the same import is Pagemark for Node.
import { run } from "../app.js";

export default async function Page() {
  return <output>{JSON.stringify(await run())}</output>;
}
