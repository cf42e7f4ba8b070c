-- A mixed, deterministic SQLite workload: inserts, joins, aggregation, text, recursion, windows.
CREATE TABLE item(id INTEGER PRIMARY KEY, grp INTEGER, price REAL, name TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, item INTEGER, amount INTEGER, day INTEGER);
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO item SELECT i, i * 7919 % 613, (i * 104729 % 10007) / 7.0, printf('item-%06d-%x', i, i * 31) FROM n;
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 180000)
INSERT INTO sale SELECT i, i * 48271 % 60000 + 1, i * 16807 % 23, i % 365 FROM n;
CREATE INDEX sale_item ON sale(item);
CREATE INDEX item_group ON item(grp, price);
SELECT grp, count(*), round(sum(price), 3), min(name), max(name) FROM item GROUP BY grp ORDER BY 3 DESC LIMIT 20;
SELECT i.grp, sum(s.amount * i.price) AS total FROM sale s JOIN item i ON i.id = s.item
  WHERE s.day BETWEEN 30 AND 200 GROUP BY i.grp HAVING total > 1000 ORDER BY total LIMIT 25;
SELECT count(*) FROM item WHERE name LIKE '%-00a%' OR name GLOB '*f?e*';
SELECT day, amount, sum(amount) OVER (PARTITION BY day % 7 ORDER BY day, id ROWS 50 PRECEDING)
  FROM sale WHERE id % 997 = 0 ORDER BY id;
UPDATE item SET price = price * 1.01, name = upper(name) WHERE grp % 3 = 1;
DELETE FROM sale WHERE day % 5 = 2 AND amount < 10;
SELECT count(*), sum(amount), group_concat(DISTINCT amount) FROM sale;
WITH RECURSIVE fib(a, b, n) AS (VALUES(0, 1, 0) UNION ALL SELECT b, (a + b) % 1000003, n + 1 FROM fib WHERE n < 40000)
SELECT sum(a) FROM fib;
SELECT substr(name, 1, 8) AS prefix, count(*), avg(length(name)) FROM item GROUP BY prefix ORDER BY 2 DESC, 1 LIMIT 10;
SELECT sum(length(replace(name, 'ITEM', 'thing')) + instr(name, '7')) FROM item;
PRAGMA integrity_check;
