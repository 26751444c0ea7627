"""sqlite3 building a table of a million rows, and querying it."""

PACKAGES = {"sqlite3": "sqlite3"}
PROVES = ["sqlite3"]
QUICK = True
TIMEOUT = 180

SCRIPT = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA threads = 2;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, grp INTEGER, weight REAL, note BLOB);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO item SELECT i, 'item-' || (i * 7919 % 1000003), i % 997, (i * 31 % 1009) / 8.0,
	CASE WHEN i % 50 = 0 THEN zeroblob(i % 1000) END FROM n;
COMMIT;
CREATE INDEX item_name ON item (name);
CREATE INDEX item_grp ON item (grp, weight);
SELECT count(*), sum(id), sum(length(note)), min(name), max(name) FROM item;
SELECT grp, count(*), round(avg(weight), 6), group_concat(substr(name, -3)) FROM item WHERE grp < 20 GROUP BY grp;
SELECT a.id, b.id FROM item a JOIN item b ON a.name = b.name AND a.id < b.id ORDER BY 1 LIMIT 20;
SELECT name, sum(weight) OVER (PARTITION BY grp ORDER BY id ROWS 5 PRECEDING) FROM item WHERE id % 10007 = 3;
SELECT json_group_array(json_object('id', id, 'name', name)) FROM item WHERE id % 40009 = 1;
SELECT count(DISTINCT name || grp) FROM item;
SELECT id FROM item WHERE name LIKE '%999%' ORDER BY weight DESC, name, id LIMIT 25;
UPDATE item SET name = upper(name) || hex(substr(name, 1, 3)) WHERE id % 7 = 0;
DELETE FROM item WHERE id % 13 = 5;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO words SELECT name || ' ' || grp || ' common' FROM item WHERE id % 20 = 0;
SELECT count(*) FROM words WHERE words MATCH 'common NOT 7*';
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(id), sum(length(name)) FROM item;
.sha3sum
"""


def run(ctx):
    ctx.run(["sqlite3", "-batch", "table.db"], stdin=SCRIPT.format(rows=150_000 if ctx.quick else 1_000_000))
    ctx.run(["sqlite3", "-batch", "-readonly", "table.db", "SELECT count(*), sum(weight) FROM item WHERE grp = 500"])
