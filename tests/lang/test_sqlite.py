"""SQLite, next to `sqlite3 -batch :memory: < main.sql`."""

from lib.case import Case, ServerModule
from lib.hostile import HostileCase
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage sqlite { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

NO_PROCESS = "SQL starts no programs and has no threads"
NO_STREAMS = "the command's standard input is the program itself"


def command(folder, main, args):
    return ["sh", "-c", f"exec sqlite3 -batch :memory: < {main}"]


TABLE = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);\nINSERT INTO t(b) VALUES ('x'), (NULL), ('ä');\n"
LARGE = "INSERT INTO t(b) VALUES\n" + ",\n".join(f"('row {i}')" for i in range(20_000)) + ";\nSELECT count(*) FROM t;\n"

LANGUAGE = Language(
    name="sqlite",
    killed=("SELECT 'one' UNION ALL SELECT count(*) FROM (WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT x FROM t);\n",
            {"limits": {"cpu_us": 300_000}, "printed": b"one\n"}), failing="SELECT 'before';\nSELECT abs(-9223372036854775808);\n",
    fresh={"SQLITE_TMPDIR": "/tmp"},
    main="main.sql",
    command=command,
    semantics={
        "hello": "SELECT 'Hello, World!';",
        "several files": ("SELECT CAST(readfile('other.txt') AS TEXT);\n.read more.sql\n",
                          {"files": {"other.txt": "of another file", "more.sql": "SELECT 'and of one more';\n"}}),
        "exit code": "SELECT 1;\n.exit 3\nSELECT 2;\n",
        "uncaught error": "SELECT 'before';\n\nSELECT abs(-9223372036854775808);\nSELECT 'after';\n",
        "syntax error": "SELECT 1;\nSELEC 2;\nSELECT 3;\n",
        "buffered output": ".print -n x\nSELECT 'last' -- and no semicolon",
        "binary output": "SELECT x'f0ff80fe';",
        "utf-8 output": "SELECT 'äöü 日本 🐣', length('äöü'), upper('äb'), hex('ä');",
        "own source": "SELECT CAST(readfile('main.sql') AS TEXT);\n",
        "unread stdin": ("SELECT 'done';", {"stdin": b"x" * 200_000, "ours": (b"done\n", b"", ("exit", 0))}),
        "stdin to its end": ("SELECT upper(CAST(readfile('/dev/stdin') AS TEXT));",
                             {"stdin": "one\ntwo", "ours": (b"ONE\nTWO\n", b"", ("exit", 0))}),
        "stderr": "SELECT 'out';\nSELECT nothing;\n",
    },
    absent={"stdin by line": NO_STREAMS, "args": "SQL has no arguments", "env": "SQL has no environment",
            "death by signal": NO_PROCESS, "exit hook": "SQL has none", "pending work": NO_PROCESS,
            "subprocess": NO_PROCESS},
    more={
        "TZ": ("SELECT datetime(0, 'unixepoch', 'localtime');\n", {"env": {"TZ": "Asia/Tokyo"}}),
        # The program's home is the work directory.
        "settings in a file": ("SELECT 1, 2;\n", {"files": {".sqliterc": ".mode csv\n"}, "ours": (b"1,2\r\n", b"", ("exit", 0))}),
        "LD_DEBUG": ("SELECT 1;\n", {"env": {"LD_DEBUG": "help"}}),
        # ---- how a text is cut into statements
        "an empty program": "",
        "blanks and comments alone": "  \n-- a comment\n/* one\nmore */\n\n",
        "two statements on a line": "SELECT 1; SELECT 2;",
        "a statement on several lines": "SELECT 1,\n  2,\n\n  3\n;\nSELECT 4;",
        "no last semicolon": "SELECT 1",
        "no last semicolon and an error": "SELECT 1;\nSELECT 2 +",
        "comments inside": "SELECT 1 -- one; or two\n, 2 /* not; yet */ ; -- end\nSELECT 3; /* begun\n and ended */\nSELECT 4;",
        "a semicolon in a text": "SELECT 'a;b', \"c;d\", [e;f] FROM (SELECT 1 AS \"c;d\", 2 AS [e;f]);\nSELECT ';\n;';",
        "a text over lines": "SELECT 'one\n\n  two  \n';",
        "an unfinished text": "SELECT 1;\nSELECT 'abc\nSELECT 2;\n",
        "an unfinished comment": "SELECT 1;\n/* SELECT 2;\nSELECT 3;",
        "go and a slash": "SELECT 1\ngo\nSELECT 2\n/\nSELECT 3 \n  GO  \n",
        "lines with a hash": "# a comment\nSELECT 1;\n# another\n",
        "carriage returns": "SELECT 1;\r\nSELECT\r\n2;\r\n",
        "a trigger": TABLE + "CREATE TRIGGER g AFTER INSERT ON t BEGIN\n  UPDATE t SET b = 'g';\n  SELECT 1;\nEND;\n"
                             "INSERT INTO t(b) VALUES (1);\nSELECT * FROM t;",
        "a form feed and a tab": "\f\tSELECT\t1\f;",
        "a byte order mark": b"\xef\xbb\xbfSELECT 1;",
        "an invalid byte": b"SELECT '\xff\xfe', length('\xff');",
        "a long statement": TABLE + LARGE,
        # ---- errors
        "errors do not stop the rest": "SELECT * FROM nothing;\nSELECT 1;\nINSERT INTO no VALUES (1);\nSELECT 2;",
        "an error in the first of two on a line": "SELECT nope; SELECT 2;\nSELECT 3;",
        "an error in the second of two on a line": "SELECT 1; SELECT nope;\nSELECT 3;",
        "the place of an error to the right": "SELECT 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, nothing_here FROM (SELECT 1);",
        "the place of an error far to the right": "SELECT " + "1 + " * 40 + "nothing, " + "2 + " * 40 + "3;",
        "the place of an error after wide letters": "SELECT 'ääääääääääääääääääääääääääääääääääääääääää', nothing;",
        "the place of an error on a later line": "SELECT 1,\n\t2,\n  nothing;",
        "an unknown function": "SELECT no_such(1);",
        "a wrong number of arguments": "SELECT abs();",
        "a constraint": TABLE + "INSERT INTO t VALUES (1, 'again');\nSELECT count(*) FROM t;",
        "constraints of all kinds": "CREATE TABLE c(a NOT NULL, b CHECK (b > 0), c UNIQUE);\nINSERT INTO c VALUES (NULL, 1, 1);\n"
                                    "INSERT INTO c VALUES (1, 0, 1);\nINSERT INTO c VALUES (1, 1, 1), (1, 1, 1);",
        "a foreign key": "PRAGMA foreign_keys = ON;\nCREATE TABLE p(a PRIMARY KEY); CREATE TABLE k(a REFERENCES p);\nINSERT INTO k VALUES (1);",
        "a raise in a trigger": TABLE + "CREATE TRIGGER g BEFORE DELETE ON t BEGIN SELECT raise(ABORT, 'not that'); END;\nDELETE FROM t;\nSELECT count(*) FROM t;",
        "rows before an error": "WITH n(x) AS (VALUES (1), (2), (-9223372036854775808)) SELECT abs(x) FROM n;\nSELECT 'on';",
        "a transaction that is left open": TABLE + "BEGIN;\nDELETE FROM t;\nSELECT count(*) FROM t;",
        "a rollback": TABLE + "BEGIN; DELETE FROM t; ROLLBACK;\nSELECT count(*) FROM t;\nCOMMIT;",
        "a datatype mismatch": "CREATE TABLE s(a INTEGER) STRICT;\nINSERT INTO s VALUES ('x');",
        "malformed JSON": "SELECT json('{');\nSELECT json_extract('{\"a\":[1,2]}', '$.a[1]');",
        "a text in double quotes": 'SELECT "no such column";',
        "a database that can't be opened": "ATTACH '/no/such/file' AS x;",
        "an expression that is too deep": "SELECT " + "(" * 2000 + "1" + ")" * 2000 + ";",
        # ---- what is printed
        "values of all types": "SELECT 1, -1, 2.5, 1e300, 1e-7, 1.0, 100000000000000000000, NULL, 'x', x'4142', 9223372036854775807;",
        "a row of NULLs": "SELECT NULL;\nSELECT NULL, NULL;\nSELECT '';",
        "special floating points": "SELECT 1e999, -1e999, 0.1 + 0.2, 1/0, 7/2, 7.0/2, 5 % 0;",
        "a NUL inside": "SELECT 'a' || char(0) || 'b', length('a' || char(0) || 'b');",
        "many columns and rows": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000) SELECT x, x * x, hex(x) FROM n;",
        "returning": TABLE + "INSERT INTO t(b) VALUES ('new') RETURNING a, b;\nDELETE FROM t WHERE a < 3 RETURNING *;",
        "pragmas": "PRAGMA user_version;\nPRAGMA user_version = 5;\nPRAGMA user_version;\nPRAGMA table_info(sqlite_schema);\nPRAGMA journal_mode;\nPRAGMA encoding;",
        "vacuum, analyze, reindex": TABLE + "VACUUM; ANALYZE; REINDEX;\nSELECT count(*) FROM sqlite_schema;",
        # ---- the language
        "the version": "SELECT sqlite_version(), sqlite_source_id();",
        "options it was built with": "PRAGMA compile_options;",
        "window functions": TABLE + "SELECT a, sum(a) OVER (ORDER BY a), row_number() OVER (ORDER BY b) FROM t;",
        "upsert": TABLE + "INSERT INTO t VALUES (1, 'y') ON CONFLICT(a) DO UPDATE SET b = excluded.b || b;\nSELECT * FROM t;",
        "full text search": "CREATE VIRTUAL TABLE f USING fts5(x);\nINSERT INTO f VALUES ('the cat'), ('a dog');\nSELECT * FROM f WHERE f MATCH 'cat';",
        "r-trees": "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);\nINSERT INTO r VALUES (1, 0, 5), (2, 9, 10);\nSELECT id FROM r WHERE x0 < 6;",
        "dates": "SELECT date('2024-02-28', '+2 days'), strftime('%j', '2024-12-31'), julianday('2000-01-01'), unixepoch('1970-01-02');",
        "mathematics": "SELECT sqrt(2), pi(), log(10), 2 << 5, ~1, round(2.567, 2), floor(-1.5);",
        "functions of texts": "SELECT printf('%05d|%.2f|%q', 42, 3.14159, 'it''s'), substr('hello', -3), instr('hello', 'l'), trim('  x '), replace('aaa', 'a', 'b'), quote('it''s'), unicode('ä');",
        "LIKE and GLOB": "SELECT 'ABC' LIKE 'a%', 'abc' GLOB 'a*', 'Ä' LIKE 'ä', 'a_b' LIKE 'a\\_b' ESCAPE '\\';",
        "collations": "SELECT 'a' = 'A' COLLATE NOCASE, 'a ' = 'a' COLLATE RTRIM, max('b', 'a');",
        "JSON tables": "SELECT key, value, type FROM json_each('{\"a\":1,\"b\":[2],\"c\":null}');\nSELECT json_group_array(value) FROM json_each('[3,1,2]');",
        "a file that is not there": "SELECT readfile('nothing') IS NULL, typeof(readfile('main.sql'));",
        "a database in a file": "ATTACH 'd.db' AS d;\nCREATE TABLE d.t(a); INSERT INTO d.t VALUES (5);\nDETACH d;\nATTACH 'd.db' AS e;\nSELECT * FROM e.t;",
        "temporary tables and views": "CREATE TEMP TABLE x(a); INSERT INTO x VALUES (1); CREATE VIEW v AS SELECT a + 1 FROM x;\nSELECT * FROM v;",
        "last_insert_rowid and changes": TABLE + "SELECT last_insert_rowid(), changes(), total_changes();",
        # ---- what is the command's
        "modes": TABLE + ".headers on\n.mode csv\nSELECT * FROM t;\n.mode json\nSELECT * FROM t;\n.mode box\nSELECT * FROM t;\n.mode column\nSELECT * FROM t;",
        "separators and NULLs": TABLE + ".separator ;\n.nullvalue (null)\nSELECT * FROM t;",
        "schema and tables": TABLE + ".tables\n.schema\n.indexes\n.dump",
        "bail": ".bail on\nSELECT 1;\nSELEC;\nSELECT 2;",
        "echo": ".echo on\nSELECT 1;\n.print done",
        "an unknown command": "SELECT 1;\n.nothing\nSELECT 2;",
        "import": (".mode csv\n.import people.csv p\nSELECT sum(age) FROM p;", {"files": {"people.csv": "name,age\nAda,36\nAlan,41\n"}}),
        "a text with a line that begins with a dot": "SELECT 'one\n.two';",
        "functions of the command": "SELECT hex(sha3('x')), decimal_add('1.1', '2.2'), 'abc' REGEXP 'b+';\nSELECT sum(value) FROM generate_series(1, 10);",
        "a plan": TABLE + "EXPLAIN QUERY PLAN SELECT * FROM t WHERE a = 1;",
    },
    corpus={
        "hello": "SELECT 'Hello, World!';",
        "fizzbuzz": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100)\n"
                    "SELECT CASE WHEN x % 15 = 0 THEN 'FizzBuzz' WHEN x % 5 = 0 THEN 'Buzz' WHEN x % 3 = 0 THEN 'Fizz' ELSE x END FROM n;",
        "primes": "CREATE TABLE composite(x INTEGER PRIMARY KEY) WITHOUT ROWID;\n"
                  "WITH RECURSIVE p(x) AS (SELECT 2 UNION ALL SELECT x + 1 FROM p WHERE x < 1000),\n"
                  "  q(x) AS (SELECT x FROM p WHERE x < 4 OR NOT EXISTS (SELECT 1 FROM p AS d WHERE d.x * d.x <= p.x AND p.x % d.x = 0)),\n"
                  "  m(x, step) AS (SELECT x * x, x FROM q UNION ALL SELECT x + step, step FROM m WHERE x + step < 1000000)\n"
                  "INSERT OR IGNORE INTO composite SELECT x FROM m WHERE x < 1000000;\n"
                  "SELECT 1000000 - 2 - count(*) FROM composite;",
        "word count": "WITH RECURSIVE input(rest) AS (SELECT replace(CAST(readfile('/dev/stdin') AS TEXT), char(10), ' ') || ' '),\n"
                      "  words(word, rest) AS (SELECT NULL, rest FROM input UNION ALL\n"
                      "    SELECT substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1) FROM words WHERE rest <> '')\n"
                      "SELECT word || ' ' || count(*) FROM words WHERE word <> '' GROUP BY word ORDER BY count(*) DESC, word;",
        "json": "WITH input(j) AS (SELECT CAST(readfile('/dev/stdin') AS TEXT))\n"
                "SELECT json_object('name', j ->> '$.name', 'total', (SELECT sum(value) FROM json_each(j, '$.items'))) FROM input;",
    },
    random=["SELECT random();", "SELECT hex(randomblob(16));", "SELECT group_concat(random()) FROM (VALUES (1), (2));"],
)

Semantics = tests_of(SERVER, LANGUAGE)


class Differences(Case):
    """The statements of docs/languages.md about SQLite."""

    SERVER = SERVER

    def test_the_commands_own_statements_leave_no_standard_input(self):
        self.assertNotIn("secret", self.output(".print x\nSELECT CAST(readfile('/dev/stdin') AS TEXT) = 'secret';", language="sqlite",
                                               stdin=b"secret"))


class Hostile(HostileCase):
    """Hostile programs end as they should, and the next one runs."""

    SERVER, LANGUAGE, HELLO = SERVER, "sqlite", "SELECT 'Hello, World!';"

    def test_an_endless_query_ends_with_its_time(self):
        self.assert_ends("TIME_LIMIT", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n;",
                         limits={"wall_us": 500_000})

    def test_a_flood_of_rows_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT hex(zeroblob(1000)) FROM n;")

    def test_a_table_without_end_stops_at_the_limit_of_memory(self):
        self.assert_ends("MEMORY_LIMIT", "CREATE TABLE t(a);\nWITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
                                         "INSERT INTO t SELECT randomblob(100000) FROM n;",
                         limits={"wall_us": 50_000_000, "cpu_us": 50_000_000})

    def test_a_value_that_is_too_large_is_an_error_or_the_limit(self):
        result = self.hostile("SELECT length(randomblob(2000000000));")
        self.assertNotEqual(b"2000000000\n", result.stdout)

    def test_secrets_of_the_host_are_not_there(self):
        result = self.hostile("SELECT coalesce(length(readfile('/etc/shadow')), 'no'), coalesce(length(readfile('/proc/1/environ')), 'no');")
        self.assertEqual(b"no|no\n", result.stdout)

    def test_the_commands_shell_is_inside_the_sandbox(self):
        result = self.hostile(".shell cat /etc/shadow\n.print end\n")
        self.assertTrue(result.stdout.endswith(b"end\n"))
        self.assertNotIn(b"root:", result.stdout)

    def test_libraries_are_loaded_by_none_but_the_command(self):
        result = self.hostile("SELECT load_extension('/no/such/library');")
        self.assertEqual(1, result.exit_code)
