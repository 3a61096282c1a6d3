/* SQLite: the program is SQL, on a database in memory. Output and errors are those of `sqlite3 :memory: < main.sql`.
 *
 * The rules of the command are kept. Lines are gathered until a statement is complete. An error names the line where
 * the gathered lines began. The next statement still runs, and the exit status is then 1. Some things belong to the
 * command and not to the library: lines that begin with a dot, EXPLAIN's tree, functions like sha3. If a program has
 * any of them, the command itself runs the whole program. */
#include "lang/lang.h"
#include "lang/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND  "/usr/bin/sqlite3"
#define SETTINGS ".sqliterc" /* the command's settings, in the home directory, which is the work directory */

enum { CONTEXT_BEFORE = 50, CONTEXT_LEN = 78, CONTEXT_LEFT = 25, BLOCK = 65536 };

/* Words of things that only the command has; a program with one of them is run by the command. */
static const char *const of_the_command[] = {
        "completion",
        "decimal",
        "decimal_add",
        "decimal_cmp",
        "decimal_mul",
        "decimal_sub",
        "decimal_sum",
        "dtostr",
        "edit",
        "explain",
        "fsdir",
        "generate_series",
        "ieee754",
        "ieee754_exponent",
        "ieee754_from_blob",
        "ieee754_mantissa",
        "ieee754_to_blob",
        "load_extension",
        "lsmode",
        "regexp",
        "regexpi",
        "sha3",
        "sha3_query",
        "sqlar_compress",
        "sqlar_uncompress",
        "strtod",
        "uint",
        "usleep",
        "writefile",
        "zipfile",
};

/* ---------------------------------------------------------------- readfile */

/* Reads a whole file into memory for sqlite3_free; NULL if it can't be read, or is larger than a value may be.
 */
static char *read_whole(int fd, int *len)
{
        char *data = NULL;
        size_t used = 0;
        for (ssize_t n = 1; n > 0; used += (size_t)n) {
                char *larger = used < (size_t)1 << 30 ? sqlite3_realloc64(data, used + BLOCK + 1) : NULL;
                if (larger) {
                        data = larger;
                        n = read(fd, data + used, BLOCK);
                }
                if (!larger || n < 0) {
                        sqlite3_free(data);
                        return NULL;
                }
        }
        data[used] = '\0';
        *len = (int)used;
        return data;
}

/* Works like the command's readfile: NULL for a file that can't be read. /dev/stdin is the request's standard input. */
static void readfile(sqlite3_context *context, int n, sqlite3_value **values)
{
        const char *name = (const char *)sqlite3_value_text(values[0]);
        int len = 0, fd = n == 1 && name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        char *data = fd < 0 ? NULL : read_whole(fd, &len);
        if (fd >= 0)
                close(fd);
        if (data)
                sqlite3_result_blob(context, data, len, sqlite3_free);
}

/* ---------------------------------------------------------------- the program's text */

static bool is_word(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

static bool names_what_is_the_commands(const char *sql)
{
        for (const char *end; *sql; sql = end) {
                end = sql + 1;
                if (!is_word(*sql))
                        continue;
                while (is_word(*end))
                        end++;
                size_t len = (size_t)(end - sql);
                for (size_t i = 0; i < sizeof of_the_command / sizeof of_the_command[0]; i++)
                        if (strlen(of_the_command[i]) == len && strncasecmp(of_the_command[i], sql, len) == 0)
                                return true;
        }
        return false;
}

/* A line that begins with a dot may be a dot command, or a part of a text of several lines. */
static bool has_dot_line(const char *sql)
{
        return sql[0] == '.' || strstr(sql, "\n.");
}

static bool is_space(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}

/* True if there are only blanks and finished comments. */
static bool is_blank(const char *s)
{
        for (;;) {
                while (is_space(*s))
                        s++;
                if (s[0] == '-' && s[1] == '-') {
                        s += strcspn(s, "\n");
                } else if (s[0] == '/' && s[1] == '*') {
                        s = strstr(s + 2, "*/");
                        if (!s)
                                return false;
                        s += 2;
                } else {
                        return !*s;
                }
        }
}

/* ---------------------------------------------------------------- statements */

/* The place of an error, as the command shows it: a piece of one line, and an arrow. */
static void print_context(sqlite3 *db, const char *sql)
{
        int offset = sqlite3_error_offset(db);
        if (offset < 0)
                return;
        while (offset > CONTEXT_BEFORE) {
                offset--;
                sql++;
                while ((sql[0] & 0xc0) == 0x80) {
                        sql++;
                        offset--;
                }
        }
        size_t len = strlen(sql);
        if (len > CONTEXT_LEN) {
                len = CONTEXT_LEN;
                while ((sql[len] & 0xc0) == 0x80)
                        len--;
        }
        fputs("  ", stderr);
        for (size_t i = 0; i < len; i++)
                fputc(is_space(sql[i]) ? ' ' : sql[i], stderr);
        if (offset < CONTEXT_LEFT)
                fprintf(stderr, "\n  %*s^--- error here\n", offset, "");
        else
                fprintf(stderr, "\n  %*serror here ---^\n", offset - 14, "");
}

static void print_error(sqlite3 *db, const char *what, int line, int code, const char *sql)
{
        fflush(stdout);
        fprintf(stderr, "%s near line %d: %s", what, line, sqlite3_errmsg(db));
        if (code > 1)
                fprintf(stderr, " (%d)", code);
        fputc('\n', stderr);
        if (sql)
                print_context(db, sql);
}

static void print_row(sqlite3_stmt *statement)
{
        int n = sqlite3_column_count(statement);
        for (int i = 0; i < n; i++) {
                const char *text = (const char *)sqlite3_column_text(statement, i);
                if (i > 0)
                        fputc('|', stdout);
                fputs(text ? text : "", stdout);
        }
        fputc('\n', stdout);
}

/* Runs all statements of a piece of SQL until one fails. Returns the number of failures: 0 or 1. */
static int run_piece(sqlite3 *db, const char *sql, int line)
{
        while (*sql) {
                sqlite3_stmt *statement = NULL;
                const char *rest = NULL;
                int r = sqlite3_prepare_v2(db, sql, -1, &statement, &rest);
                if (r != SQLITE_OK) {
                        print_error(db, "Parse error", line, r, sql);
                        return 1;
                }
                while (statement && sqlite3_step(statement) == SQLITE_ROW)
                        print_row(statement);
                r = sqlite3_finalize(statement);
                if (r != SQLITE_OK) {
                        print_error(db, "Runtime error", line, r, NULL);
                        return 1;
                }
                sql = rest;
                while (is_space(*sql))
                        sql++;
        }
        return 0;
}

/* "go" and "/" on a line of their own end a statement. */
static bool is_terminator(const char *line)
{
        while (is_space(*line))
                line++;
        size_t len = *line == '/' ? 1 : strncasecmp(line, "go", 2) == 0 ? 2 : 0;
        return len > 0 && is_blank(line + len);
}

static bool would_be_complete(const char *piece)
{
        char *ended = sqlite3_mprintf("%s;", piece);
        bool r = ended && sqlite3_complete(ended);
        sqlite3_free(ended);
        return r;
}

/* Avoids a check of the whole piece for each line of a long statement. */
static bool may_complete(const char *line, bool ends)
{
        return ends || strchr(line, ';') || strstr(line, "*/");
}

/* Lines of text (which is changed) are gathered in piece, which has room for all of it. */
static int run_text(sqlite3 *db, char *text, char *piece)
{
        int errors = 0, began = 0;
        size_t len = 0;
        char *next;
        piece[0] = '\0';
        for (int number = 1; text; text = next, number++) {
                next = strchr(text, '\n');
                if (next)
                        *next++ = '\0';
                else if (!*text)
                        break;
                size_t n = strlen(text);
                if (n > 0 && text[n - 1] == '\r')
                        text[--n] = '\0';
                bool ends = is_terminator(text) && would_be_complete(piece);
                if (len == 0 && (is_blank(text) || text[0] == '#'))
                        continue;
                if (len == 0)
                        began = number;
                while (len == 0 && is_space(*text))
                        text++;
                len += (size_t)sprintf(piece + len, "%s%s", len > 0 ? "\n" : "", ends ? ";" : text);
                if (may_complete(text, ends) && sqlite3_complete(piece))
                        errors += run_piece(db, piece, began);
                else if (!is_blank(piece))
                        continue;
                len = 0;
                piece[0] = '\0';
                fflush(stdout);
        }
        return len > 0 ? errors + run_piece(db, piece, began) : errors;
}

/* ---------------------------------------------------------------- the language */

static int sqlite_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        sqlite3 *db = NULL;
        (void)setup; /* there is nothing to load */
        if (sqlite3_open(":memory:", &db) != SQLITE_OK)
                return err_say(e, EIO, "SQLite: %s", db ? sqlite3_errmsg(db) : "no memory");
        if (sqlite3_create_function(db, "readfile", 1, SQLITE_UTF8, NULL, readfile, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK) {
                err_say(e, EIO, "SQLite: %s", sqlite3_errmsg(db));
                sqlite3_close(db);
                return -EIO;
        }
        out->state = db;
        snprintf(out->version, sizeof out->version, "%s", sqlite3_libversion());
        return 0;
}

static int sqlite_after_fork(void *state)
{
        (void)state;
        sqlite3_randomness(0, NULL); /* the generator seeds itself afresh from the system */
        return 0;
}

static void sqlite_rehearse(void *state)
{
        sqlite3_exec(state, "WITH t(x) AS (VALUES (1), (2)) SELECT upper(x) || random() FROM t ORDER BY x DESC", NULL,
                     NULL, NULL);
        sqlite3_randomness(0, NULL);
}

/* The command reads the program from standard input. */
static int redirect_input(const struct job *job)
{
        if (!*job->entry)
                return 0;
        int fd = open(job->entry, O_RDONLY | O_CLOEXEC);
        int r = fd < 0 || dup2(fd, STDIN_FILENO) < 0 ? -errno : 0;
        if (fd >= 0)
                close(fd);
        return r;
}

static int sqlite_run(void *state, const struct job *job)
{
        int len = 0, fd = open(job->entry, O_RDONLY | O_CLOEXEC);
        char *text = fd < 0 ? NULL : read_whole(fd, &len);
        char *piece = text ? malloc((size_t)len + 2) : NULL;
        if (fd >= 0)
                close(fd);
        if (!piece) {
                fprintf(stderr, "sqlite3: can't read %s: %s\n", job->entry, strerror(errno));
                return 1;
        }
        if (has_dot_line(text) || names_what_is_the_commands(text) || access(SETTINGS, F_OK) == 0)
                return startup_fresh(&hatchery_language, job);
        if (job->header.unbuffered)
                setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* line-buffered, because a row is a line */
        int errors = run_text(state, text, piece);
        fflush(stdout);
        return errors > 0;
}

static const char *const at_start[] = { "SQLITE_*", "TMPDIR", NULL };
static const char *const fresh[] = { COMMAND, "sqlite3", "{program}-batch", "{interpreter_args}", "{program}:memory:",
                                     NULL };
static const char *const prompt[] = { COMMAND, "sqlite3", NULL };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "sqlite",
        .aliases = "sql sqlite3",
        .main_file = "main.sql",
        .extensions = "sql",
        .kind = KIND_FORKED,
        .at_start = at_start,
        .fresh = fresh,
        .prompt = prompt,
        .before_fresh = redirect_input,
        .warm = sqlite_warm,
        .after_fork = sqlite_after_fork,
        .rehearse = sqlite_rehearse,
        .run = sqlite_run,
};
