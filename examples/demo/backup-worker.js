// What `pagemark/browser` runs: a file of its own, as esbuild finds no worker by itself (docs/bundlers.md).
import "pagemark/browser/worker";
