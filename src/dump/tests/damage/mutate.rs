//! Changes of the fields that lead from one place to another.

use crate::btree::sample::{Random, Sample};

/// One of each kind of object, each with as many rows as make a tree of it where pages are small.
const OBJECTS: &str = r#"
    CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT DEFAULT 'x', v AS (a || 1), s AS (a || 2) STORED, b REAL);
    WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
        INSERT INTO rows (a, b) SELECT 'row ' || i, i / 3.0 FROM n;
    CREATE TABLE keys (k TEXT, n INT, v, PRIMARY KEY (n, k)) WITHOUT ROWID;
    INSERT INTO keys SELECT printf('%030d', id), id % 7, CASE id % 9 WHEN 0 THEN zeroblob(900) ELSE b END FROM rows;
    CREATE TABLE long (t, b, c); INSERT INTO long SELECT hex(zeroblob(id * 40)), zeroblob(id * 90), 'end' FROM rows WHERE id < 12;
    CREATE TABLE later (a); INSERT INTO later VALUES (1), (2);
    ALTER TABLE later ADD COLUMN b DEFAULT 'd''d'; ALTER TABLE later ADD COLUMN c INT DEFAULT '12';
    CREATE TABLE strict (a ANY, b INT, c REAL) STRICT; INSERT INTO strict VALUES (1, 2, 3), (x'00', NULL, 2.5);
    CREATE INDEX by_b ON rows (b, a); CREATE UNIQUE INDEX "i 2" ON long (c, b) WHERE b > 5;
    CREATE VIEW view1 AS SELECT * FROM rows -- comment
    ; CREATE TRIGGER trigger1 AFTER INSERT ON long BEGIN SELECT 1; DELETE FROM later; END;
    CREATE VIRTUAL TABLE ft USING fts5 (t, u); INSERT INTO ft VALUES ('hello world', 'x'), ('it''s', 'y');
    CREATE VIRTUAL TABLE rt USING rtree (id, a, b, +e); INSERT INTO rt SELECT id, b, b + 1, a FROM rows WHERE id < 40;
    ANALYZE;
"#;

/// Databases of every page size and encoding.
pub(super) fn samples() -> Vec<Sample> {
    let of = |page_size, reserved, pragmas: &str| {
        Sample::new(page_size, reserved, |db| db.execute_batch(&format!("{pragmas}; {OBJECTS}")).unwrap())
    };
    vec![
        of(512, 0, ""),
        of(1024, 0, "PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = FULL"),
        of(512, 32, "PRAGMA encoding = 'UTF-16be'"),
        of(2048, 0, ""),
        of(4096, 0, "PRAGMA encoding = 'UTF-16be'"),
        of(512, 0, "PRAGMA auto_vacuum = INCREMENTAL"),
        of(8192, 0, ""),
        of(1024, 8, ""),
        of(16384, 0, "PRAGMA encoding = 'UTF-16le'"),
        of(512, 0, "PRAGMA encoding = 'UTF-16le'"),
        of(32768, 0, ""),
        of(65536, 0, ""),
    ]
}

/// A database file with some fields changed.
pub(super) struct Mutant {
    pub(super) bytes: Vec<u8>,
    page_size: usize,
    /// The kind of each change, with its offset.
    pub(super) changes: Vec<(usize, usize)>,
}

impl Mutant {
    pub(super) fn of(sample: &Sample, random: &mut Random) -> Self {
        let page_size = sample.header.page_size.bytes();
        let mut mutant = Self { bytes: sample.bytes.clone(), page_size, changes: Vec::new() };
        for _ in 0..=random.below(4) {
            mutant.change(random);
        }
        mutant
    }

    pub(super) fn page_count(&self) -> usize {
        self.bytes.len() / self.page_size
    }

    fn change(&mut self, random: &mut Random) {
        let (page_size, pages) = (self.page_size, self.page_count());
        if pages == 0 {
            return;
        }
        // The first pages are the schema and the roots.
        let page = if random.below(3) == 0 { random.below(pages.min(12)) } else { random.below(pages) };
        let start = page * page_size;
        let header = start + if page == 0 { 100 } else { 0 };
        let any_page = (random.below(pages + 3) as u32).to_be_bytes();
        let header_size = if self.bytes[header] < 10 { 12 } else { 8 };
        let cells = usize::from(self.u16(header + 3));
        let slot = header + header_size + 2 * random.below(cells.clamp(1, page_size / 8));
        let other = header + header_size + 2 * random.below(cells.clamp(1, page_size / 8));
        let cell = start + usize::from(self.u16(slot)).min(page_size - 16);
        let noise = random.next().to_be_bytes();
        let kind = random.below(22);
        let (offset, bytes) = match kind {
            // The page's header.
            0 => (header, vec![[2, 5, 10, 13, 0, 255][random.below(6)]]),
            1 => (header + 1, noise[..2].to_vec()),
            2 => (header + 3, noise[..2].to_vec()),
            3 => (header + 4, noise[..1].to_vec()),
            4 => (header + 5, noise[..2].to_vec()),
            5 => (header + 8, any_page.to_vec()),
            // Cell pointers: anywhere, or where another points.
            6 => (slot, ((random.below(page_size + 8)) as u16).to_be_bytes().to_vec()),
            7 => (slot, self.u16(other).to_be_bytes().to_vec()),
            // A child, or a payload's length, or the chain of its overflow pages.
            8 => (cell, any_page.to_vec()),
            9 => (cell + random.below(4), [0xff; 9][..=random.below(8)].to_vec()),
            10 => (cell + random.below(12), noise[..1].to_vec()),
            11 => (start, any_page.to_vec()),
            12 => (start, ((page as u32) + 1).to_be_bytes().to_vec()),
            // A record's header and its serial types.
            13 => (cell + 2 + random.below(6), vec![[0, 1, 8, 9, 10, 11, 12, 13, 0x7f, 0x80, 0xff][random.below(11)]]),
            // Anything.
            14 => (start + random.below(page_size), noise[..1].to_vec()),
            15 => (start + random.below(page_size), noise.to_vec()),
            16 => (start, vec![[0, 0xff, noise[0]][random.below(3)]; page_size]),
            // Another page in its place.
            17 => (start, self.bytes[random.below(pages) * page_size..][..page_size].to_vec()),
            // The database's header: version, page count, encoding and the like; the page size is for the caller to read.
            18 => (24 + random.below(76), noise[..1].to_vec()),
            19 => ([18, 20, 59][random.below(3)], vec![[0, 1, 2, 3, 32, 255][random.below(6)]]),
            // What the schema says.
            20 => return self.change_schema(random, &noise),
            _ => {
                // Cut off, mostly near the end.
                let left = if random.below(2) == 0 { pages - random.below(pages.min(4)) } else { random.below(pages) };
                self.bytes.truncate(left * page_size + random.below(page_size));
                self.changes.push((kind, left));
                return;
            }
        };
        self.write(kind, offset, &bytes);
    }

    /// Changes a few bytes of SQL, or the root of a table, on the first page of the schema that has it.
    fn change_schema(&mut self, random: &mut Random, noise: &[u8]) {
        let needles: [&[u8]; 4] = [b"CREATE", b"table", b"TEXT", b"rtree"];
        let needle = needles[random.below(4)];
        let found: Vec<usize> = memchr::memmem::find_iter(&self.bytes, needle).collect();
        if found.is_empty() {
            return;
        }
        let at = found[random.below(found.len())] + random.below(60);
        let words: [&[u8]; 12] =
            [b"(", b")", b",", b"'", b"\"", b"/*", b"--", b";", b"AS", b" PRIMARY KEY ", &noise[..1], &noise[..3]];
        self.write(20, at, words[random.below(12)]);
    }

    fn write(&mut self, kind: usize, offset: usize, bytes: &[u8]) {
        self.changes.push((kind, offset));
        for (at, byte) in bytes.iter().enumerate() {
            if let Some(old) = self.bytes.get_mut(offset + at) {
                *old = *byte;
            }
        }
    }

    fn u16(&self, offset: usize) -> u16 {
        self.bytes.get(offset..offset + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }
}
