/* Identities of compilers: see identity.h. */
#include "hatcheryd/identity.h"

#include "hatcheryd/usable.h"
#include "proto/base/fnv.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fts.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t hash_file(const char *path, const struct stat *st)
{
        uint64_t hash = fnv_add(FNV_START, path, strlen(path));
        if (S_ISDIR(st->st_mode)) /* a directory's time also changes when files change that no compiler reads */
                return hash;
        hash = fnv_add(hash, &st->st_mtim, sizeof st->st_mtim);
        hash = fnv_add(hash, &st->st_size, sizeof st->st_size);
        return fnv_add(hash, &st->st_mode, sizeof st->st_mode);
}

/* Hashes a file, or all files below a directory. The result is a sum, because directories list their files in no fixed
 * order. */
static uint64_t hash_tree(char *path)
{
        char *const roots[] = { path, NULL };
        FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
        uint64_t sum = 0;

        for (FTSENT *f; tree && (f = fts_read(tree));)
                if (f->fts_info != FTS_DP && f->fts_info != FTS_NS)
                        sum += hash_file(f->fts_path, f->fts_statp);
        if (tree)
                fts_close(tree);
        return sum;
}

/* 0 for a pattern that matches nothing. */
static uint64_t hash_pattern(const char *pattern, struct identity_seen *seen)
{
        glob_t found = { 0 };
        uint64_t sum = 0;

        for (size_t i = 0; i < seen->n; i++)
                if (strcmp(seen->at[i].pattern, pattern) == 0)
                        return seen->at[i].hash;
        if (glob(pattern, 0, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc; i++)
                        sum += hash_tree(found.gl_pathv[i]);
        globfree(&found);
        if (seen->n < sizeof seen->at / sizeof seen->at[0]) {
                seen->at[seen->n].pattern = pattern;
                seen->at[seen->n++].hash = sum;
        }
        return sum;
}

static uint64_t hash_program(const struct config_runtime *r, char *const *line)
{
        char path[USABLE_PATH_SIZE];
        struct stat st;
        if (!line || !usable_find_program(r, line[0], path) || stat(path, &st) < 0)
                return 0;
        return hash_file(path, &st);
}

bool identity_is_of_use(const struct config_runtime *r)
{
        return r->kind == KIND_COMPILED || r->prepare || r->reads;
}

void identity_find(const struct config_runtime *r, struct identity_seen *seen, char text[IDENTITY_SIZE])
{
        uint64_t sums[5] = { hash_program(r, r->version), hash_program(r, r->compile), hash_program(r, r->prepare) };

        for (char **need = r->needs; need && *need; need++) {
                struct stat st;
                if (stat(*need, &st) == 0)
                        sums[3] += hash_file(*need, &st);
        }
        for (char **pattern = r->reads; pattern && *pattern; pattern++)
                sums[4] += hash_pattern(*pattern, seen);
        snprintf(text, IDENTITY_SIZE, "%016" PRIx64, fnv_add(FNV_START, sums, sizeof sums));
}
