// Takes an upload, and lets Pagemark say what is in it:
//   curl --data-binary @app.db http://127.0.0.1:8787
export default {
  async fetch(request, env) {
    const answer = await env.PAGEMARK.fetch("https://pagemark/inspect", {
      method: "POST",
      body: request.body,
    });
    const found = await answer.json();
    if (found.error) return new Response(`${found.error.message}\n`, { status: 400 });
    const lines = found.tables.map(({ name, rows }) => `${name}: ${rows ?? "-"} rows`);
    return new Response(`${[`${found.pageCount} pages of ${found.pageSize}`, ...lines].join("\n")}\n`);
  },
};
