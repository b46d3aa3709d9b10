// Streams that somebody asks for and never reads: what they hold is let go all the same.
import { memory } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";
import { momentStream } from "../../js/dist/moments/moment-stream.js";
import { snapshotFile } from "../../js/dist/moments/snapshot-file.js";

const STREAMS = {
  "a database file": momentStream,
  "an LTX file": (moment: Parameters<typeof snapshotFile>[0]) => snapshotFile(moment, "0000000000000001", 0),
};

test.each(Object.entries(STREAMS))("%s that is canceled unread releases its moment", async (_, streamOf) => {
  using db = await Database.open();
  db.exec("CREATE TABLE t (a)");
  const moment = await memory(db.serialize()).pin();
  let released = 0;
  const { release } = moment;
  moment.release = () => {
    released++;
    return release.call(moment);
  };
  await streamOf(moment).cancel();
  expect(released).toBe(1);
});
