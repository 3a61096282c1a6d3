/* Lua 5.4, as Debian's `lua` runs a file: what differs from LuaJIT. */
#include "lang/lua_run.h"

#include <alloca.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* How far the state and the stack are moved. Not pages that would have to be touched for it. */
enum { HEAP_SLACK = 64 << 10, STACK_SLACK = 16 << 10, ALIGNMENT = 16 };

/* Blocks for all the holes of the heap that a state would fit into: it is larger than one of them. */
enum { HOLE = 1024, MAX_HOLES = 128 };

/* A state from behind a block of that size, which then is the heap's end: were there a hole before it, the state would
 * always be there. */
static lua_State *new_state_behind(size_t slack)
{
        char *holes[MAX_HOLES], *end = malloc(HEAP_SLACK / 2 + slack);
        int n = 0;
        bool behind = false;
        while (end && !behind && n < MAX_HOLES && (holes[n] = malloc(HOLE))) {
                behind = holes[n] > end;
                n += !behind;
        }
        if (behind)
                free(holes[n]);
        lua_State *L = luaL_newstate();
        while (n > 0)
                free(holes[--n]);
        free(end);
        return L;
}

/* Lua takes the seed of its hashes from the time, and from where its state and its stack are: chance enough under a
 * kernel that places each process anew, but forks of one zygote are all in the same place. So both are moved, by 22
 * bits of chance in all. */
static lua_State *new_state(void)
{
        uint32_t chance[2];
        if (getrandom(chance, sizeof chance, 0) != sizeof chance)
                return NULL;
        char *stack = alloca(ALIGNMENT + chance[0] % (STACK_SLACK / ALIGNMENT) * ALIGNMENT);
        *(char *volatile *)&stack = stack; /* or the compiler does without it */
        return new_state_behind(chance[1] % (HEAP_SLACK / ALIGNMENT) * ALIGNMENT);
}

static lua_State *create(void)
{
        lua_State *L = new_state();
        if (!L)
                return NULL;
        luaL_openlibs(L);
        lua_gc(L, LUA_GCGEN, 0, 0);
        return L;
}

static void seed(lua_State *L)
{
        lua_Integer chance[2];
        if (getrandom(chance, sizeof chance, 0) != sizeof chance)
                abort();
        lua_getglobal(L, LUA_MATHLIBNAME);
        lua_getfield(L, -1, "randomseed");
        lua_pushinteger(L, chance[0]);
        lua_pushinteger(L, chance[1]);
        lua_call(L, 2, 0);
        lua_pop(L, 1);
}

static void interrupt(lua_State *L, lua_Debug *unused)
{
        (void)unused;
        lua_sethook(L, NULL, 0, 0);
        luaL_error(L, "interrupted!");
}

static int traceback(lua_State *L)
{
        const char *message = lua_tostring(L, 1);
        if (!message) {
                if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
                        return 1;
                message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        }
        luaL_traceback(L, L, message, 1);
        return 1;
}

static int push_args(lua_State *L)
{
        if (lua_getglobal(L, "arg") != LUA_TTABLE)
                luaL_error(L, "'arg' is not a table");
        int n = (int)luaL_len(L, -1);
        luaL_checkstack(L, n + 3, "too many arguments to script");
        for (int i = 1; i <= n; i++)
                lua_rawgeti(L, -i, i);
        lua_remove(L, -n - 1);
        return n;
}

static const char *describe(lua_State *L)
{
        const char *message = lua_tostring(L, -1);
        return message ? message : "(null)"; /* what printf makes of it */
}

static const char *const init_variables[] = { "LUA_INIT_5_4", "LUA_INIT", NULL };

static const struct lua_dialect dialect = {
        .program = "lua",
        .version = LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE,
        .tree = LUA_VERSION_MAJOR "." LUA_VERSION_MINOR,
        .init_variables = init_variables,
        .create = create,
        .seed = seed,
        .interrupt = interrupt,
        .traceback = traceback,
        .push_args = push_args,
        .describe = describe,
};

static int lua_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        return lua_run_warm(&dialect, setup, out, e);
}

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "lua",
        .aliases = "lua5.4",
        .main_file = "main.lua",
        .kind = KIND_FORKED,
        .echoes = true,
        .warm = lua_warm,
        .after_fork = lua_run_after_fork,
        .rehearse = lua_run_rehearse,
        .run = lua_run,
};
