/* Entries of the compile cache: see cache_entry.h. */
#include "pool/cache/cache_entry.h"

#include "pool/base/digest.h"
#include "pool/base/feed.h"
#include "proto/base/io.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "hatch c2";

struct head {
        char magic[sizeof magic];
        struct cache_key key;
        uint64_t n_files;
        uint64_t out_len, err_len;
        uint32_t out_truncated, err_truncated;
};

struct row {
        uint64_t name_len, size;
        uint64_t mode;
};

struct cached {
        size_t size;
        uint8_t *bytes;
        struct file_span *files;
};

void cached_free(struct cached *cached)
{
        if (!cached)
                return;
        free(cached->bytes);
        free(cached->files);
        free(cached);
}

size_t cached_size(const struct cached *cached)
{
        return cached->size;
}

/* ---------------------------------------------------------------- writing */

uint64_t cache_entry_size(const struct cache_content *content)
{
        uint64_t size = sizeof(struct head) + content->out.len + content->err.len + DIGEST_SIZE;

        for (size_t i = 0; i < content->n_files; i++)
                size += sizeof(struct row) + content->files[i].name.len + content->files[i].content.len;
        return size;
}

static struct head head_of(const struct cache_key *key, const struct cache_content *content)
{
        struct head h = {
                .key = *key,
                .n_files = content->n_files,
                .out_len = content->out.len,
                .err_len = content->err.len,
                .out_truncated = content->out_truncated,
                .err_truncated = content->err_truncated,
        };
        memcpy(h.magic, magic, sizeof magic);
        return h;
}

static void fill_rows(struct row *rows, const struct cache_content *content)
{
        for (size_t i = 0; i < content->n_files; i++)
                rows[i] = (struct row){ content->files[i].name.len, content->files[i].content.len,
                                        content->files[i].mode };
}

int cache_entry_write(int fd, const struct cache_key *key, const struct cache_content *content, struct err *e)
{
        const struct head head = head_of(key, content);
        uint8_t hash[DIGEST_SIZE];
        struct digest d;
        struct feed pieces;

        OWN_MEM struct row *rows = calloc(content->n_files + 1, sizeof *rows);
        if (!rows)
                return err_set(e, ENOMEM, "an entry");
        fill_rows(rows, content);
        int r = feed_init(&pieces, 5 + 2 * content->n_files, e);
        if (r < 0)
                return r;
        feed_add(&pieces, &head, sizeof head);
        feed_add(&pieces, rows, content->n_files * sizeof *rows);
        for (size_t i = 0; i < content->n_files; i++)
                feed_add(&pieces, content->files[i].name.data, content->files[i].name.len);
        for (size_t i = 0; i < content->n_files; i++)
                feed_add(&pieces, content->files[i].content.data, content->files[i].content.len);
        feed_add(&pieces, content->out.data, content->out.len);
        feed_add(&pieces, content->err.data, content->err.len);

        digest_init(&d);
        for (size_t i = 0; i < pieces.n; i++)
                digest_bytes(&d, pieces.piece[i].iov_base, pieces.piece[i].iov_len);
        digest_end(&d, hash);
        feed_add(&pieces, hash, sizeof hash);
        r = feed_write(&pieces, fd, e);
        feed_fini(&pieces);
        return r < 0 ? r : 0;
}

/* ---------------------------------------------------------------- reading */

static int bad(struct err *e, const char *what)
{
        return err_say(e, EBADMSG, "an entry is removed: %s", what);
}

static int read_all(int fd, uint8_t *at, size_t size, struct err *e)
{
        int r = io_read_all(fd, at, size);
        if (r == -EPIPE)
                return bad(e, "it is shorter than it was");
        return r < 0 ? err_set(e, -r, "reading an entry") : 0;
}

/* Takes the next len bytes of the file, which ends with the hash; false: there are fewer before the hash. */
static bool take(struct span *rest, uint64_t len, struct span *out)
{
        if (len > rest->len)
                return false;
        *out = (struct span){ rest->data, (size_t)len };
        rest->data += len;
        rest->len -= (size_t)len;
        return true;
}

/* The hash is right, so the bytes are as they were written. The bounds are checked all the same: the hash does not
 * prove that this program wrote the file. */
static bool unpack(struct cached *c, struct span rest, const struct cache_key *key, struct cache_content *content)
{
        struct span piece, rows;
        struct head h;
        struct row row;

        if (!take(&rest, sizeof h, &piece))
                return false;
        memcpy(&h, piece.data, sizeof h);
        if (memcmp(h.magic, magic, sizeof magic) != 0 || memcmp(&h.key, key, sizeof *key) != 0 ||
            h.n_files > rest.len / sizeof row || !take(&rest, h.n_files * sizeof row, &rows))
                return false;
        c->files = calloc((size_t)h.n_files + 1, sizeof *c->files);
        for (size_t i = 0; c->files && i < h.n_files; i++) {
                memcpy(&row, rows.data + i * sizeof row, sizeof row);
                c->files[i].mode = (uint32_t)row.mode;
                if (!take(&rest, row.name_len, &c->files[i].name))
                        return false;
        }
        for (size_t i = 0; c->files && i < h.n_files; i++) {
                memcpy(&row, rows.data + i * sizeof row, sizeof row);
                if (!take(&rest, row.size, &c->files[i].content))
                        return false;
        }
        *content = (struct cache_content){
                .files = c->files,
                .n_files = (size_t)h.n_files,
                .out_truncated = h.out_truncated != 0,
                .err_truncated = h.err_truncated != 0,
        };
        return c->files && take(&rest, h.out_len, &content->out) && take(&rest, h.err_len, &content->err) &&
               rest.len == 0;
}

static int check(struct cached *c, const struct cache_key *key, struct cache_content *content, struct err *e)
{
        size_t len = c->size - DIGEST_SIZE;
        uint8_t hash[DIGEST_SIZE];
        struct digest d;

        digest_init(&d);
        digest_bytes(&d, c->bytes, len);
        digest_end(&d, hash);
        if (memcmp(hash, c->bytes + len, sizeof hash) != 0)
                return bad(e, "its hash does not match its contents");
        if (!unpack(c, (struct span){ c->bytes, len }, key, content))
                return bad(e, "it is not what this version writes");
        return 0;
}

int cache_entry_read(int fd, const struct cache_key *key, uint64_t size, struct cached **out,
                     struct cache_content *content, struct err *e)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return err_set(e, errno, "looking at an entry");
        if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size || size < sizeof(struct head) + DIGEST_SIZE)
                return bad(e, "its length has changed");
        struct cached *c = calloc(1, sizeof *c);
        if (c)
                c->bytes = malloc((size_t)size);
        if (!c || !c->bytes) {
                cached_free(c);
                return err_set(e, ENOMEM, "an entry of %llu bytes", (unsigned long long)size);
        }
        c->size = (size_t)size;
        int r = read_all(fd, c->bytes, c->size, e);
        if (r == 0)
                r = check(c, key, content, e);
        if (r < 0) {
                cached_free(c);
                return r;
        }
        *out = c;
        return 0;
}
