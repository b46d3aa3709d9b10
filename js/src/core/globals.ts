// What the package's types say of the web platform, for programs whose `lib` has none of it: an interface adds nothing where
// another one of its name is known. (A type alias would clash, so there is none: `BufferSource` is not used in public types.)
/// <reference lib="esnext.disposable" preserve="true" />
declare global {
  interface AbortSignal {}
  interface Blob {}
  interface FileSystemDirectoryHandle {}
  interface FileSystemFileHandle {}
  interface Headers {}
  // biome-ignore lint/suspicious/noExplicitAny: as the DOM's own declaration says it
  interface ReadableStream<R = any> {}
  interface Response {}
  interface URL {}
  interface Worker {}
  namespace WebAssembly {
    interface Memory {}
    interface Module {}
    interface Table {}
  }
}

export {};
