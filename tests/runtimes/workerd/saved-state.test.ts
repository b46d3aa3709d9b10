// What a Durable Object keeps of a job between two invocations.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { SavedState } from "../../../js/dist/worker/object/saved-state.js";

interface State {
  step: number;
  arrays: Uint8Array[];
}

function bytes(value: number): Uint8Array {
  return new Uint8Array(100_000).fill(value);
}

function inside(name: string, action: (storage: DurableObjectStorage) => void): Promise<void> {
  const stub = env.OBJECT.get(env.OBJECT.idFromName(name));
  return runInDurableObject(stub, (_, { storage }) => action(storage));
}

test("what was saved is given again by the same object, and by its successor", async () => {
  await inside("saved", (storage) => {
    const state = new SavedState<State>(storage, "job");
    const [first, second, third] = [bytes(1), bytes(2), bytes(3)];
    state.save({ step: 1, arrays: [first, second] });
    state.save({ step: 2, arrays: [first, third] });
    expect(state.load()).toEqual({ step: 2, arrays: [first, third] });
    const successor = new SavedState<State>(storage, "job");
    expect(successor.load()).toEqual({ step: 2, arrays: [bytes(1), bytes(3)] });
    expect([...storage.kv.list()]).toHaveLength(3);
    successor.drop();
    expect([...storage.kv.list()]).toHaveLength(0);
    expect(successor.load()).toBeUndefined();
  });
});

test("arrays are freed as soon as they are not in the state any more, not before it is saved", async () => {
  await inside("freed", (storage) => {
    const state = new SavedState<State>(storage, "job");
    const [first, second, third] = [bytes(1), bytes(2), bytes(3)];
    state.save({ step: 1, arrays: [first, second] });
    const unstorable = (() => 2) as unknown as number;
    expect(() => state.save({ step: unstorable, arrays: [first] })).toThrow("could not be cloned");
    expect(state.load()).toEqual({ step: 1, arrays: [bytes(1), bytes(2)] });
    state.save({ step: 2, arrays: [first, third] });
    expect([first, second, third].map(({ length }) => length)).toEqual([100_000, 0, 100_000]);
    expect(new SavedState<State>(storage, "job").load()).toEqual({ step: 2, arrays: [bytes(1), bytes(3)] });
    state.drop();
    expect([first, third].map(({ length }) => length)).toEqual([0, 0]);
  });
});
