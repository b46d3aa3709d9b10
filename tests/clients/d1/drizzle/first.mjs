// A schema as an application has it at first, for drizzle-kit.
import { blob, index, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const users = sqliteTable(
  "users",
  {
    id: integer("id").primaryKey({ autoIncrement: true }),
    name: text("name").notNull().unique(),
    picture: blob("picture", { mode: "buffer" }),
    score: real("score").default(1.5),
  },
  (table) => [index("by_score").on(table.score)],
);
export const posts = sqliteTable("posts", {
  id: integer("id").primaryKey(),
  author: integer("author").references(() => users.id, { onDelete: "cascade" }),
  title: text("title").notNull().default("it's"),
});
