// The worker of `pagemark/browser`, which counts what it reads of files: the names of all whose bytes were taken.
import "/entry/browser-worker.js";

let names = [];
const { slice } = Blob.prototype;
Blob.prototype.slice = function (...range) {
  if (this instanceof File) names.push(this.name);
  return slice.apply(this, range);
};
const channel = new BroadcastChannel("reads");
channel.onmessage = () => {
  channel.postMessage(names);
  names = [];
};
