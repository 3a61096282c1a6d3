/* Keys of the compile cache: see compile_key.h. */
#include "pool/cache/compile_key.h"

#include "pool/base/digest.h"

#include <string.h>

enum { KEY_VERSION = 2 }; /* raised when the parts of a key or their order change */

static void add_list(struct digest *d, char *const *list)
{
        size_t n = 0;

        while (list && list[n])
                n++;
        digest_number(d, n);
        for (size_t i = 0; i < n; i++)
                digest_text(d, list[i]);
}

static void add_runtime(struct digest *d, const struct config_runtime *r)
{
        digest_text(d, r->name);
        digest_text(d, r->main_file);
        add_list(d, r->extensions);
        add_list(d, r->compile);
        add_list(d, r->artifacts);
        add_list(d, r->prepare);
        add_list(d, r->env);
        digest_text(d, r->identity ? r->identity : "");
}

static void add_flags(struct digest *d, const struct submission *x)
{
        digest_number(d, x->n_compile_flags);
        for (size_t i = 0; i < x->n_compile_flags; i++)
                digest_span(d, x->compile_flags[i]);
}

static void add_files(struct digest *d, const struct submission *x)
{
        digest_number(d, x->has_code);
        if (x->has_code)
                digest_span(d, x->code);
        digest_number(d, x->n_files);
        for (size_t i = 0; i < x->n_files; i++) {
                digest_span(d, x->files[i].name);
                digest_number(d, x->files[i].mode);
                digest_span(d, x->files[i].content);
        }
}

/* 64 bits are enough: two owners with the same hash would share a bound, but no entries. */
static void owner_id(uint8_t id[CACHE_OWNER_SIZE], struct span peer, struct span name)
{
        uint8_t hash[DIGEST_SIZE];
        struct digest d;

        digest_init(&d);
        digest_span(&d, peer);
        digest_span(&d, name);
        digest_end(&d, hash);
        memcpy(id, hash, CACHE_OWNER_SIZE);
}

void compile_key(struct cache_key *key, const struct compile_key_of *of)
{
        struct digest d;

        _Static_assert(sizeof key->bytes == DIGEST_SIZE, "a key is a hash");
        digest_init(&d);
        digest_number(&d, KEY_VERSION);
        digest_span(&d, of->peer);
        digest_span(&d, of->execute->client);
        digest_text(&d, of->language);
        digest_text(&d, of->version);
        add_runtime(&d, of->runtime);
        digest_span(&d, of->entry);
        add_flags(&d, of->execute);
        add_files(&d, of->execute);
        digest_end(&d, key->bytes);
        owner_id(key->peer, of->peer, (struct span){ 0 });
        owner_id(key->name, of->peer, of->execute->client);
}
