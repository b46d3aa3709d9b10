// Profiles in `~/.aws/config` and `~/.aws/credentials`, as the AWS command line keeps them.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import type { Environment, Profile } from "./s3-url.ts";

/**
 * A profile; `undefined` when there are no such files, or no usual profile in them.
 *
 * @throws PagemarkError `USAGE` when one was named that is not there
 */
export function awsProfile(name: string | undefined, env: Environment): Profile | undefined {
  const wanted = name || "default";
  const config = read(env.AWS_CONFIG_FILE || join(homedir(), ".aws", "config"));
  const credentials = read(env.AWS_SHARED_CREDENTIALS_FILE || join(homedir(), ".aws", "credentials"));
  const section =
    config.get(wanted === "default" ? "default" : `profile ${wanted}`) ?? config.get(`profile ${wanted}`);
  const keys = credentials.get(wanted);
  if (section === undefined && keys === undefined) {
    if (!name) return undefined;
    throw new PagemarkError("USAGE", `there is no profile ${JSON.stringify(name)} in ~/.aws`);
  }
  const services = section?.services === undefined ? undefined : config.get(`services ${section.services}`);
  const endpoint = services?.["s3.endpoint_url"];
  return { ...section, ...keys, ...(endpoint !== undefined && { endpoint_url: endpoint }) };
}

/** Sections of a file by name. Values below an indented name have both names: `s3.endpoint_url`. */
function read(path: string): Map<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>();
  let section: Record<string, string> = {};
  let above = "";
  for (const line of textOf(path).split(/\r?\n/)) {
    const [, title] = /^\s*\[([^\]]+)\]/.exec(line) ?? [];
    const [, indent = "", name = "", value = ""] = /^(\s*)([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (title !== undefined) {
      section = sections.get(title.trim()) ?? {};
      sections.set(title.trim(), section);
      above = "";
    } else if (name !== "" && indent !== "" && above !== "") {
      section[`${above}.${name}`] = value;
    } else if (name !== "") {
      above = value === "" ? name : "";
      section[name] = value.replace(/\s[#;].*$/, "");
    }
  }
  return sections;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
