// The protocol's side of `pagemark mcp`, in a file of its own: nothing else loads the SDK.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

/** An argument of a tool. */
export interface Field {
  type: "text" | "texts" | "flag";
  description: string;
  optional?: boolean;
}

/** A tool that a model may call. */
export interface Tool {
  name: string;
  title: string;
  description: string;
  /** Whether it changes nothing. */
  readOnly: boolean;
  fields: Readonly<Record<string, Field>>;
  /** Gives a value for JSON. What it throws is told to the model. The signal is given when the client takes its call back. */
  run(args: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<unknown>;
}

export interface Served {
  version: string;
  instructions: string;
  /** The words of an error, without secrets. */
  wordsOf(error: unknown): string;
  /** Ends it. */
  signal: AbortSignal;
}

/** Serves tools over standard input and output, until the client closes them. */
export async function serve(tools: readonly Tool[], served: Served): Promise<void> {
  const { version, instructions, wordsOf, signal } = served;
  const server = new McpServer({ name: "pagemark", version }, { instructions });
  for (const { name, title, description, readOnly, fields, run } of tools) {
    // An argument that no tool has, such as another one's name for it, is refused: without it, the answer would be of something else.
    const inputSchema = z.strictObject(
      Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, typeOf(field)])),
    );
    const annotations = { readOnlyHint: readOnly, destructiveHint: !readOnly, openWorldHint: false };
    server.registerTool(name, { title, description, inputSchema, annotations }, async (args, call) => {
      try {
        const result = await run(args, AbortSignal.any([signal, call.signal]));
        return { content: [{ type: "text", text: JSON.stringify(result) }] };
      } catch (error) {
        return { isError: true, content: [{ type: "text", text: wordsOf(error) }] };
      }
    });
  }
  const transport = new StdioServerTransport();
  const closed = new Promise<void>((resolve) => {
    server.server.onclose = resolve;
    process.stdin.once("end", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await server.connect(transport);
  await closed;
  await server.close();
}

function typeOf({ type, description, optional = false }: Field): z.ZodType {
  const types = {
    text: z.string().max(4096),
    texts: z.array(z.string().max(4096)).max(1000),
    flag: z.boolean(),
  };
  const described = types[type].describe(description);
  return optional ? described.optional() : described;
}
