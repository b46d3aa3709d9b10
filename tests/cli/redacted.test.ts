// No place in a URL where a secret can be is shown, whatever is wrong with the URL. (B27 of the rows: store URLs.)
import { expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { tempFolder } from "../support/temp.ts";

const cli = new CommandLine(tempFolder());
const SECRET = "hush-hush/and+more";

test.each([
  "s3://id:SECRET@bucket/prefix?unknown=1",
  "s3://bucket/a?secret-access-key=SECRET&unknown=SECRET",
  "s3://bucket/a?endpoint=http%3A%2F%2Fid%3ASECRET%40host",
  "s3://bucket:99/a?token=SECRET",
  "https://SECRET@127.0.0.1:1/store/a?unknown=SECRET",
  "https://user:SECRET@127.0.0.1:1/store/a?unknown=SECRET",
  "http://127.0.0.1:1/store/a?token=SECRET&unknown=1",
  "sftp://user:SECRET@127.0.0.1:1/a?unknown=1",
  "file:///nowhere/a?token=SECRET",
  "gs://SECRET@bucket/a",
  "nfs://user:SECRET@host/a?token=SECRET",
])("B27 F10 %s", (url) => {
  for (const secret of [SECRET, encodeURIComponent(SECRET)]) {
    const place = url.replaceAll("SECRET", secret);
    const { stdout, stderr, status } = cli.run("list", "app", "--from", place);
    expect(status).not.toBe(0);
    expect(stdout + stderr).not.toContain("hush");
    // A folder's URL has no parameters: a misspelt one would be passed over.
    if (url.startsWith("file:")) expect(stderr).toContain("without a host and parameters [USAGE]");
  }
});
