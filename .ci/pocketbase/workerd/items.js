// The items that BenchmarkSQL asks for, in a Durable Object.
import { DurableObject } from "cloudflare:workers";
export class Items extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    if (this.sql.exec("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'items'").one().n) return;
    this.sql.exec("CREATE TABLE items (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, name TEXT NOT NULL); CREATE INDEX ns ON items (n)");
    this.sql.exec("INSERT INTO items (n, name) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10000) SELECT i, 'item number ' || i FROM s");
  }
  async fetch(request) {
    const rows = (q) => Response.json(this.sql.exec(q).toArray());
    switch (new URL(request.url).pathname) {
      case "/row": return rows("SELECT id, n, name FROM items WHERE id = abs(random()) % 10000 + 1");
      case "/range": return rows("SELECT id, n, name FROM items WHERE n > (SELECT abs(random()) % 9900) ORDER BY n LIMIT 20");
      case "/insert": return rows("INSERT INTO items (n, name) VALUES (abs(random()) % 10000, 'a new item') RETURNING id");
      case "/hot": return rows("UPDATE items SET n = n + 1 WHERE id = 1 RETURNING id");
    }
    return new Response("", { status: 404 });
  }
}
export default { fetch: (request, env) => env.items.get(env.items.idFromName("main")).fetch(request) };
