// The types of scripts/lib/workers.mjs.
declare module "*/scripts/lib/workers.mjs" {
  export interface StartOptions {
    /** The folder where databases and backups are kept. */
    state: string;
    /** Settings of the Pagemark Worker. */
    bindings: Record<string, string>;
    /** 0, which is the usual, takes any free port. */
    port?: number;
    examplePort?: number;
    /** Other Workers that bind it, as miniflare describes Workers. */
    callers?: readonly Caller[];
    /** Whether the Workers' own log is shown. */
    verbose?: boolean;
  }

  export interface Caller {
    name: string;
    modules: true;
    script: string;
    compatibilityDate: string;
    compatibilityFlags?: string[];
    serviceBindings: Record<string, { name: string; props: { database: string } }>;
    d1Databases?: Record<string, string>;
  }

  export interface Workers {
    /** Origin of the Pagemark Worker, without a slash at the end. */
    url: string;
    /** Origin of worker-example. */
    exampleUrl: string;
    /** Origins of the callers, by their names. */
    callerUrls: Record<string, string>;
    stop(): Promise<void>;
  }

  export function startWorkers(options: StartOptions): Promise<Workers>;

  /** The repository's wrangler 4, to be run with Node. */
  export const wranglerMain: string;

  /** Variables that keep wrangler from asking anybody, or from telling anything. */
  export const QUIET: Record<string, string>;
}
