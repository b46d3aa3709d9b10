import { thrownOf } from "../errors/thrown.ts";
import { Leader } from "./shared-leader.ts";
import {
  type Answer,
  channelOf,
  type FromPage,
  type News,
  type Request,
  type SharedOptions,
  type ToPage,
} from "./shared-messages.ts";

interface Port {
  postMessage(message: ToPage): void;
  addEventListener(type: "message", listener: (event: MessageEvent<FromPage>) => void): void;
  close(): void;
}

/** Serves the page that started this worker: the database is here, or in the worker of another tab. */
export function serveDatabase(port: Port): void {
  let member: Member | undefined;
  port.addEventListener("message", ({ data }) => {
    if (data.kind === "open") member ??= new Member(port, data.path, data.options);
    else if (data.kind === "ask") member?.ask(data);
    else void member?.close().finally(() => port.close());
  });
}

/**
 * A tab's worker. Who has the database's lock leads: opens the database, and answers all. When the leader ends, however it
 * does, the lock goes to the next member, and everybody asks that one for what was not answered.
 */
class Member {
  readonly #id = crypto.randomUUID();
  readonly #port: Port;
  readonly #path: string;
  readonly #options: SharedOptions;
  /** For all members. */
  readonly #all: BroadcastChannel;
  /** For this one: what it is asked as the leader, and what it is answered. */
  readonly #own: BroadcastChannel;
  /** Requests without an answer, by id, in their order. */
  readonly #open = new Map<number, Request>();
  /** Who leads, and how it is reached. */
  #leader: { id: string; channel: BroadcastChannel } | undefined;
  /** This member as the leader. */
  #leading: Leader | undefined;
  readonly #closing = Promise.withResolvers<void>();
  readonly #end = new AbortController();

  constructor(port: Port, path: string, options: SharedOptions) {
    this.#port = port;
    this.#path = path;
    this.#options = options;
    this.#all = new BroadcastChannel(channelOf(path));
    this.#all.addEventListener("message", ({ data }: MessageEvent<News>) => this.#hear(data));
    this.#own = this.#channel(this.#id);
    this.#own.addEventListener("message", ({ data }: MessageEvent<Request | Answer>) => {
      if ("method" in data) void this.#serve(data);
      else this.#answered(data);
    });
    void this.#lead();
    this.#tell({ kind: "who" });
  }

  /** Asks the leader, at once or when there is one. */
  ask({ id, method, argument }: FromPage & { kind: "ask" }): void {
    const request = { id, method, argument, from: this.#id, open: id, again: false } as Request;
    this.#open.set(id, request);
    this.#send(request);
  }

  /** Leaves; of what it asked for nothing more is heard. */
  async close(): Promise<void> {
    this.#end.abort();
    const leading = this.#leading;
    // From here on others are answered by the next leader.
    this.#leading = undefined;
    await leading?.close();
    this.#closing.resolve();
    for (const channel of [this.#all, this.#own, this.#leader?.channel]) channel?.close();
  }

  async #lead(): Promise<void> {
    try {
      await navigator.locks.request(channelOf(this.#path), { signal: this.#end.signal }, async () => {
        this.#leading = await Leader.open(this.#path, this.#options, (bookmark) => {
          this.#tell({ kind: "changed", bookmark });
          this.#port.postMessage({ changed: bookmark });
        });
        this.#follow(this.#id);
        this.#tell({ kind: "leader", id: this.#id });
        // The lock is this member's until it closes, or its tab.
        await this.#closing.promise;
      });
    } catch (error) {
      if (this.#end.signal.aborted) return;
      this.#port.postMessage({ failed: thrownOf(error) });
    }
  }

  #hear(news: News): void {
    if (news.kind === "changed") this.#port.postMessage({ changed: news.bookmark });
    else if (news.kind === "leader") this.#follow(news.id);
    else if (this.#leading) this.#tell({ kind: "leader", id: this.#id });
  }

  /** Takes note of who leads, and asks it for what an earlier leader was asked for, or nobody yet. */
  #follow(id: string): void {
    if (this.#leader?.id === id) return;
    const isFirst = this.#leader === undefined;
    this.#leader?.channel.close();
    this.#leader = { id, channel: this.#channel(id) };
    if (isFirst) this.#port.postMessage({ opened: true });
    for (const request of this.#open.values()) this.#send({ ...request, again: !isFirst });
  }

  #send(request: Request): void {
    const [open = request.id] = this.#open.keys();
    const asked = { ...request, open };
    if (this.#leading) void this.#leading.answer(asked).then((answer) => this.#answered(answer));
    else this.#leader?.channel.postMessage(asked);
  }

  /** Answers another member. */
  async #serve(request: Request): Promise<void> {
    // Somebody else leads by now, who is asked as well.
    if (!this.#leading) return;
    const answer = await this.#leading.answer(request);
    const channel = this.#channel(request.from);
    channel.postMessage(answer);
    channel.close();
  }

  #answered(answer: Answer): void {
    if (this.#open.delete(answer.id)) this.#port.postMessage(answer);
  }

  #tell(news: News): void {
    this.#all.postMessage(news);
  }

  #channel(id: string): BroadcastChannel {
    return new BroadcastChannel(`${channelOf(this.#path)}:${id}`);
  }
}
