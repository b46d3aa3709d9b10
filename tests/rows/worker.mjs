// What a user's Worker does with D1 and with a Durable Object's database, and how it backs them up; runs in workerd.
import { DurableObject } from "cloudflare:workers";
import {
  backupSteps,
  d1,
  durableObject,
  fromRows,
  importInto,
  memory,
  memoryStore,
  pagemark,
  r2,
  stateFromBytes,
  stateToBytes,
  untrack,
} from "pagemark";

export class Holder extends DurableObject {
  fetch(request) {
    const { storage } = this.ctx;
    return answer(request, this.env, {
      source: (options) =>
        durableObject(options?.reads ? countedStorage(storage, options.reads) : storage, options),
      faulty: (fault) => evicted(durableObject(storage), fault, this.ctx),
      bucket: (bucket, fault) => evictedBucket(bucket, fault, this.ctx),
      /** Statement by statement in one transaction: each has the limit on its length for itself. */
      run: async (statements) =>
        storage.transactionSync(() => {
          for (const sql of statements) storage.sql.exec(sql);
        }),
      /** A row is an array: columns may have the same name. */
      rows: async (sql) => [...storage.sql.exec(sql).raw()],
    });
  }
}

function d1Place(db) {
  return {
    source: (options) => d1(options?.reads ? countedDatabase(db, options.reads) : db, options),
    faulty: (fault) => d1(faulty(db, fault), { timeoutMs: 100 }),
    /** What goes wrong with a bucket is tested with stores. */
    bucket: (bucket) => bucket,
    /** As `wrangler d1 execute --local --file` does it: a batch is one transaction. */
    run: (statements) => db.batch(statements.map((sql) => db.prepare(sql))),
    rows: (sql) => db.prepare(sql).raw(),
  };
}

async function answer(request, env, place) {
  const { name, action, argument } = await request.json();
  try {
    return await actions[action](place, { name, env, argument });
  } catch (error) {
    const { code, message, stack } = error;
    return Response.json({ code, message: code ? message : stack }, { status: 500 });
  }
}

const actions = {
  async run(place, { argument }) {
    await place.run(argument);
    return Response.json([]);
  },
  async rows(place, { argument }) {
    return Response.json(await Promise.all(argument.map((sql) => place.rows(sql))));
  },
  /** What the queries give, bytes and odd numbers as text. */
  async ask(place, { argument }) {
    const { rows } = await place.source().ask(argument);
    return new Response(JSON.stringify(rows, shown));
  },
  /** Backs up to R2, or to memory, where nothing is kept. */
  async backup(place, { name, env, argument: { store = "r2", ...options } = {} }) {
    const db = pagemark(place.source(), { name, store: store === "r2" ? r2(env.BACKUPS) : memoryStore() });
    return Response.json(await db.backup(options));
  },
  /** Backs up to R2 by tracking; how many rows SQLite looked at for it. */
  async backupTracked(place, { name, env, argument: options = {} }) {
    const reads = { rows: 0 };
    const source = place.source({ tracking: true, reads });
    const db = pagemark(source, { name, store: r2(env.BACKUPS) });
    return Response.json({ ...(await db.backup(options)), rowsRead: reads.rows });
  },
  /** A backup, while the call of number `at` goes wrong in a way; how many there were. */
  async backupFaulty(place, { name, env, argument: { sliceBytes, tracking, ...fault } }) {
    const faulty = { ...place.faulty(fault), tracking };
    const source = sliceBytes ? slicedSource(faulty, sliceBytes) : fromRows(faulty);
    const store = r2(place.bucket(env.BACKUPS, fault));
    const { taken } = await pagemark(source, { name, store }).backup();
    return Response.json({ taken, calls: fault.calls });
  },
  /** A backup in steps, which goes on from the state that the bucket keeps, while the call of number `at` goes wrong. */
  async stepsFaulty(place, { name, env, argument: { sliceBytes, maxBytes, tracking, ...fault } }) {
    const source = slicedSource({ ...place.faulty(fault), tracking }, sliceBytes);
    const steps = backupSteps(source, { name, store: r2(place.bucket(env.BACKUPS, fault)) });
    const key = `${name}/scratch/state`;
    const kept = await env.BACKUPS.get(key);
    let state = kept ? stateFromBytes(new Uint8Array(await kept.arrayBuffer())) : await steps.start();
    for (;;) {
      const step = await steps.step(state, { maxBytes, maxMs: 600_000 });
      state = step.state;
      if (!step.done) {
        await env.BACKUPS.put(key, stateToBytes(state));
        continue;
      }
      await env.BACKUPS.delete(key);
      return Response.json({ taken: step.done.taken, calls: fault.calls });
    }
  },
  /** A backup in steps, each from a copy of what the one before has left; after so many of them somebody writes. */
  async steps(
    place,
    { name, env, argument: { sliceBytes, tracking, statements, after, failAt, ...options } },
  ) {
    const source = sliced(place, sliceBytes, { tracking });
    let asked = 0;
    const ask = async (...args) => {
      if (++asked === failAt) throw new Error("evicted");
      return source.ask(...args);
    };
    const steps = backupSteps(fromRows({ ...source, ask }), { name, store: r2(env.BACKUPS) });
    let state = await steps.start();
    for (let count = 1; ; count++) {
      const from = stateFromBytes(stateToBytes(state));
      const step = await steps.step(from, options).catch((error) => {
        if (error.message !== "evicted") throw error;
        return steps.step(structuredClone(state), options);
      });
      state = step.state;
      if (step.done) {
        const { objects } = await env.BACKUPS.list({ prefix: `${name}/scratch/` });
        return Response.json({ taken: step.done.taken, steps: count, left: objects.length, asked });
      }
      if (count === after) await place.run(statements);
    }
  },
  async untrack(place) {
    await untrack(place.source());
    return Response.json([]);
  },
  async download(place, { name, env, argument: at }) {
    const db = pagemark(place.source(), { name, store: r2(env.BACKUPS) });
    return new Response(await db.download(at));
  },
  async dump(place, { name, env, argument: options }) {
    const warnings = [];
    const onWarning = (text) => warnings.push(text);
    const db = pagemark(place.source(), { name, store: r2(env.BACKUPS) });
    return new Response(await db.dump({ ...options, onWarning }));
  },
  /** Dumps into the bucket; what was stored there, too. */
  async dumpTo(place, { name, env, argument: { key, ...options } }) {
    const warnings = [];
    const onWarning = (text) => warnings.push(text);
    const db = pagemark(place.source(), { name, store: r2(env.BACKUPS) });
    const size = await db.dumpTo(key, { ...options, onWarning });
    const stored = await env.BACKUPS.get(key);
    return new Response(stored.body, { headers: { "x-told": JSON.stringify({ size, warnings }) } });
  },
  /** Restores what was backed up under `from`. */
  async restore(place, { env, argument: { from, ...options } }) {
    const db = pagemark(place.source(), { name: from, store: r2(env.BACKUPS) });
    return Response.json(await db.restore(options));
  },
  /** Restores what was backed up under `from`, while the call of number `at` goes wrong in a way. */
  async restoreFaulty(place, { env, argument: { from, fault, ...options } }) {
    const source = place.faulty(fault);
    const db = pagemark(source, { name: from, store: r2(place.bucket(env.BACKUPS, fault)) });
    const { undo, verified } = await db.restore(options);
    return Response.json({ undo, verified, calls: fault.calls });
  },
  /** Imports a database file, in base64; with `failAt`, that write and all after it fail. */
  async import(place, { argument: { file, failAt = Number.POSITIVE_INFINITY, ...options } }) {
    const warnings = [];
    const source = place.source();
    let writes = 0;
    const write = async (...args) => {
      if (++writes >= failAt) throw new Error("the network is gone");
      return source.write(...args);
    };
    const onWarning = (text) => warnings.push(text);
    const from = memory(Uint8Array.fromBase64(file));
    const { verified } = await importInto({ ...source, write }, from, { ...options, onWarning });
    return Response.json({ warnings, writes, verified });
  },
  /** Imports a database file, in base64, while the call of number `at` goes wrong in a way. */
  async importFaulty(place, { argument: { file, fault, ...options } }) {
    const from = memory(Uint8Array.fromBase64(file));
    const { verified } = await importInto(place.faulty(fault), from, options);
    return Response.json({ verified, calls: fault.calls });
  },
  /** The keys of what is stored. */
  async stored(_, { name, env }) {
    const { objects } = await env.BACKUPS.list({ prefix: `${name}/` });
    return Response.json(objects.map(({ key }) => key));
  },
  /** The pages, read in slices of so many bytes. */
  async pages(place, { argument: { sliceBytes } }) {
    const moment = await sliced(place, sliceBytes).pin();
    const pages = new Uint8Array(moment.pageCount * moment.pageSize);
    await moment.read(1, pages);
    await moment.release();
    return new Response(pages);
  },
  /** Backs up, in slices of so many bytes; after so many answers a writer comes in between, so many times. */
  async sliced(place, { name, env, argument: { sliceBytes, statements, after, times = 1, tracking } }) {
    const source = sliced(place, sliceBytes, { tracking });
    let [answers, written] = [0, 0];
    const ask = async (...args) => {
      const answer = await source.ask(...args);
      if (statements && ++answers % after === 0 && written++ < times) await place.run(statements);
      return answer;
    };
    const db = pagemark(fromRows({ ...source, ask }), { name, store: r2(env.BACKUPS) });
    const { taken } = await db.backup();
    return Response.json({ taken, answers });
  },
};

/** A database that counts the rows that it looks at for its answers. */
function countedDatabase(db, reads) {
  const batch = async (statements) => {
    const answers = await db.batch(statements);
    for (const { meta } of answers) reads.rows += meta.rows_read ?? 0;
    return answers;
  };
  return { prepare: (sql) => db.prepare(sql), batch };
}

function countedStorage(storage, reads) {
  const exec = (sql, ...values) => {
    const cursor = storage.sql.exec(sql, ...values);
    const rows = [...cursor.raw()];
    reads.rows += cursor.rowsRead;
    return { raw: () => rows };
  };
  const sql = {
    exec,
    get databaseSize() {
      return storage.sql.databaseSize;
    },
  };
  return { sql, transactionSync: (action) => storage.transactionSync(action) };
}

/** A database whose call of number `at` goes wrong; it counts them. */
function faulty(db, fault) {
  fault.calls = 0;
  let late;
  const batch = async (statements) => {
    if (++fault.calls !== fault.at) {
      // What was believed to have failed comes in just before the next, or just after.
      if (late && fault.how === "late") await late().catch(() => {});
      const answer = db.batch(statements);
      if (late && fault.how === "later") await answer.then(late, late).catch(() => {});
      late = undefined;
      return answer;
    }
    if (fault.how === "refuses") throw new Error("D1_ERROR: no such thing");
    if (fault.how === "fails") throw new Error("D1_ERROR: Network connection lost.");
    if (fault.how === "answer is lost") {
      await db.batch(statements);
      throw new Error("D1_ERROR: Network connection lost.");
    }
    if (fault.how === "writes") {
      await db.prepare("INSERT INTO one VALUES (5, 5)").run();
      return db.batch(statements);
    }
    if (fault.how === "silent") return new Promise(() => {});
    late = () => db.batch(statements);
    throw new Error("D1_ERROR: storage operation exceeded timeout which caused object to be reset.");
  };
  return { prepare: (sql) => db.prepare(sql), batch };
}

/** A Durable Object that is evicted at the call of number `at`, of the database or of the bucket; it counts them. */
function evicted(source, fault, ctx) {
  fault.calls = 0;
  return fromRows({
    ...source,
    ask: evicting(source.ask, fault, ctx),
    write: evicting(source.write, fault, ctx),
  });
}

function evictedBucket(target, fault, ctx) {
  return new Proxy(target, {
    get(_, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      if (key === "resumeMultipartUpload")
        return (...args) => evictedBucket(target[key](...args), fault, ctx);
      const call = evicting((...args) => value.apply(target, args), fault, ctx);
      if (key !== "createMultipartUpload") return call;
      return async (...args) => evictedBucket(await call(...args), fault, ctx);
    },
  });
}

function evicting(action, fault, ctx) {
  return async (...args) => {
    if (++fault.calls !== fault.at) return action(...args);
    if (fault.how === "after") await action(...args);
    ctx.abort("evicted");
    return new Promise(() => {});
  };
}

/** What is too large to be read at once, or says so. */
function sliced(place, sliceBytes, options) {
  return slicedSource(place.source(options), sliceBytes);
}

function slicedSource(source, sliceBytes) {
  const ask = async (...args) => ({ ...(await source.ask(...args)), size: 1 << 30 });
  return fromRows({ ...source, answerBytes: sliceBytes, ask });
}

function shown(_, value) {
  if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
  if (Object.is(value, -0) || (typeof value === "number" && !Number.isFinite(value)))
    return { number: `${value}` };
  return value;
}

export default {
  async fetch(request, env) {
    const { place, name } = await request.clone().json();
    if (place === "object") return env.HOLDER.getByName(name).fetch(request);
    return answer(request, env, d1Place(env[name]));
  },
};
