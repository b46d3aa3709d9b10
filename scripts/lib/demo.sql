-- The database `demo` of `npm run dev`: a small library.
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, born INTEGER);
CREATE TABLE books (
  id INTEGER PRIMARY KEY,
  author INTEGER NOT NULL REFERENCES authors (id),
  title TEXT NOT NULL,
  year INTEGER CHECK (year > 0),
  isbn INTEGER,
  price REAL DEFAULT 1.0,
  cover BLOB
);
CREATE TABLE loans (
  book INTEGER NOT NULL REFERENCES books (id),
  reader TEXT NOT NULL,
  taken TEXT NOT NULL,
  returned TEXT,
  PRIMARY KEY (book, taken)
) WITHOUT ROWID;
CREATE INDEX loans_by_reader ON loans (reader, taken);
CREATE VIRTUAL TABLE book_search USING fts5 (title, content = 'books', content_rowid = 'id');
CREATE TRIGGER books_are_found AFTER INSERT ON books BEGIN
  INSERT INTO book_search (rowid, title) VALUES (new.id, new.title);
END;
CREATE VIEW borrowed AS
  SELECT title, name AS author, reader, taken
  FROM loans JOIN books ON books.id = loans.book JOIN authors ON authors.id = books.author
  WHERE returned IS NULL;

INSERT INTO authors (name, born) VALUES
  ('Mary Shelley', 1797), ('Jules Verne', 1828), ('Jane Austen', 1775), ('Herman Melville', 1819),
  ('Lewis Carroll', 1832), ('Natsume Sōseki', 1867), ('Selma Lagerlöf', 1858), ('Олександр Довженко', 1894);
INSERT INTO books (author, title, year, isbn, price, cover) VALUES
  (1, 'Frankenstein; or, The Modern Prometheus', 1818, 9780141439471, 7.5, x'89504e47'),
  (1, 'The Last Man', 1826, 9780199552351, 9.25, NULL),
  (2, 'Twenty Thousand Leagues Under the Seas', 1870, 9780198818649, 8, NULL),
  (2, 'Around the World in Eighty Days', 1873, 9780140449068, 6.5, NULL),
  (3, 'Pride and Prejudice', 1813, 9780141439518, 5, x'ffd8ff'),
  (4, 'Moby-Dick; or, The Whale', 1851, 9780142437247, 11, NULL),
  (5, 'Alice''s Adventures in Wonderland', 1865, 9780141439761, 4.75, NULL),
  (6, '吾輩は猫である', 1905, 9784101010014, 6, NULL),
  (7, 'Nils Holgerssons underbara resa', 1906, 9789113003870, 10, NULL),
  (8, 'Зачарована Десна', 1956, NULL, 3.5, NULL);
WITH RECURSIVE day (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM day WHERE n < 499)
  INSERT INTO loans
  SELECT 1 + n * 7 % 10, 'reader ' || (1 + n * 13 % 40), datetime(1750000000 + n * 86400, 'unixepoch'),
    iif(n < 490, datetime(1750000000 + (n + 9) * 86400, 'unixepoch'), NULL)
  FROM day;
