// The same schema later: with another column, a table that must be rebuilt, and one more. (A table that has an index is
// not rebuilt: drizzle-kit 0.31.11 would create the index twice.)
import { blob, index, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const users = sqliteTable(
  "users",
  {
    id: integer("id").primaryKey({ autoIncrement: true }),
    name: text("name").notNull().unique(),
    picture: blob("picture", { mode: "buffer" }),
    score: real("score").default(1.5),
    email: text("email"),
  },
  (table) => [index("by_score").on(table.score)],
);
export const posts = sqliteTable("posts", {
  id: integer("id").primaryKey(),
  author: integer("author").references(() => users.id, { onDelete: "set null" }),
  title: text("title"),
});
export const tags = sqliteTable("tags", { word: text("word").primaryKey() });
