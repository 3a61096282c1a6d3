/* Keys of the compile cache. A change of anything that an artifact depends on makes another key. Another client has
 * other keys. */
#include "pool/cache/compile_key.h"

#include "tests/unit/unit.h"

enum { MAX_KEYS = 64 };

struct fixture {
        char *compile[4], *artifacts[2], *env[2];
        struct config_runtime runtime;
        uint8_t peer[5];
        struct file_span files[2];
        struct submission x;
        struct compile_key_of of;
        struct cache_key seen[MAX_KEYS];
        size_t n;
};

static int set_up(void **state)
{
        struct fixture *f = test_calloc(1, sizeof *f);
        f->compile[0] = (char *)"gcc";
        f->compile[1] = (char *)"-O2";
        f->artifacts[0] = (char *)"main";
        f->runtime = (struct config_runtime){
                .name = (char *)"c", .main_file = (char *)"main.c", .compile = f->compile, .artifacts = f->artifacts
        };
        memcpy(f->peer, (const uint8_t[]){ '4', 127, 0, 0, 1 }, sizeof f->peer);
        f->files[0] = (struct file_span){ span_of_text("a.c"), span_of_text("int a;"), { 0 }, 0 };
        f->files[1] = (struct file_span){ span_of_text("b.h"), span_of_text(""), { 0 }, 0 };
        f->x = (struct submission){ .files = f->files, .n_files = 2, .client = span_of_text("guild") };
        f->of = (struct compile_key_of){ "c",   "12.2.0",           &f->runtime, { f->peer, sizeof f->peer },
                                         &f->x, span_of_text("a.c") };
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        test_free(*state);
        return 0;
}

/* Fails unless the fixture's key is new. */
static void is_new(struct fixture *f)
{
        struct cache_key k;
        compile_key(&k, &f->of);
        for (size_t i = 0; i < f->n; i++)
                if (memcmp(&k, &f->seen[i], sizeof k) == 0)
                        fail_msg("key %zu is key %zu", f->n, i);
        assert_true(f->n < MAX_KEYS);
        f->seen[f->n++] = k;
}

static void everything_that_matters_is_in_the_key(void **state)
{
        struct fixture *f = *state;
        is_new(f);
        struct span flags[] = { span_of_text("-O3"), span_of_text("-g") };
        f->x.compile_flags = flags;
        f->x.n_compile_flags = 1;
        is_new(f);
        f->x.n_compile_flags = 2;
        is_new(f);
        flags[0] = span_of_text("-g");
        flags[1] = span_of_text("-O3"); /* of two contradicting flags, the last one counts */
        is_new(f);
        f->x.n_compile_flags = 0;
        f->of.language = "c2";
        is_new(f);
        f->of.version = "12.2.1";
        is_new(f);
        f->of.entry = span_of_text("b.h");
        is_new(f);
        f->compile[1] = (char *)"-O3";
        is_new(f);
        f->compile[2] = (char *)"-g";
        is_new(f);
        f->artifacts[0] = (char *)"main2";
        is_new(f);
        f->env[0] = (char *)"LANG=C";
        f->runtime.env = f->env;
        is_new(f);
        f->runtime.prepare = f->env;
        is_new(f);
        f->runtime.extensions = f->env;
        is_new(f);
        f->runtime.identity = (char *)"0123";
        is_new(f);
        f->files[0].mode = 0755;
        is_new(f);
        f->files[0].content = span_of_text("int b;");
        is_new(f);
        f->files[1].name = span_of_text("c.h");
        is_new(f);
        f->x.n_files = 1;
        is_new(f);
        f->x.has_code = true;
        is_new(f);
        f->x.code = span_of_text("int c;");
        is_new(f);
}

static void no_two_clients_share_a_key(void **state)
{
        struct fixture *f = *state;
        is_new(f);
        f->x.client = span_of_text("guild2");
        is_new(f);
        f->x.client = span_of_text("");
        is_new(f);
        f->peer[4] = 2;
        is_new(f);
        f->peer[0] = 'u';
        is_new(f);
        f->of.peer.len = 4;
        is_new(f);
}

/* The owner of an entry depends on the peer and the name only, not on what is compiled. */
static void the_owner_is_the_peer_and_the_name_alone(void **state)
{
        struct fixture *f = *state;
        struct cache_key first, other;
        compile_key(&first, &f->of);
        f->x.n_files = 1;
        f->of.language = "c2";
        compile_key(&other, &f->of);
        assert_memory_equal(first.peer, other.peer, sizeof first.peer);
        assert_memory_equal(first.name, other.name, sizeof first.name);
        f->x.client = span_of_text("guild2");
        compile_key(&other, &f->of);
        assert_memory_equal(first.peer, other.peer, sizeof first.peer);
        assert_memory_not_equal(first.name, other.name, sizeof first.name);
        f->x.client = span_of_text("guild");
        f->peer[4] = 2;
        compile_key(&other, &f->of);
        assert_memory_not_equal(first.peer, other.peer, sizeof first.peer);
        assert_memory_not_equal(first.name, other.name, sizeof first.name);
}

static void bytes_do_not_move_between_fields(void **state)
{
        struct fixture *f = *state;
        f->x.n_files = 1;
        f->files[0].name = span_of_text("ab");
        f->files[0].content = span_of_text("c");
        is_new(f);
        f->files[0].name = span_of_text("a");
        f->files[0].content = span_of_text("bc");
        is_new(f);
        f->compile[0] = (char *)"gcc-O2";
        f->compile[1] = NULL;
        is_new(f);
}

static void what_is_the_run_stages_is_not_in_the_key(void **state)
{
        struct fixture *f = *state;
        struct cache_key before, after;
        struct span args[] = { span_of_text("x") };
        struct env_span env[] = { { span_of_text("A"), span_of_text("1") } };

        compile_key(&before, &f->of);
        f->x.args = args;
        f->x.n_args = 1;
        f->x.env = env;
        f->x.n_env = 1;
        f->x.standard_input = span_of_text("in");
        f->x.has_limit[0] = true;
        f->x.limit[0] = 5;
        compile_key(&after, &f->of);
        assert_memory_equal(&before, &after, sizeof before);
}

int main(void)
{
#define KEY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                KEY(everything_that_matters_is_in_the_key),    KEY(no_two_clients_share_a_key),
                KEY(the_owner_is_the_peer_and_the_name_alone), KEY(bytes_do_not_move_between_fields),
                KEY(what_is_the_run_stages_is_not_in_the_key),
        };
        return cmocka_run_group_tests_name("compile-key", tests, NULL, NULL);
}
