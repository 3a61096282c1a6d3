/* Lua 5.4, as Debian's `lua` runs a file: the differences from LuaJIT. */
#include "lang/lua/run.h"

#include <alloca.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The state and the stack are moved by at most this many bytes. The skipped memory is not touched. */
enum { HEAP_SLACK = 1 << 20, STACK_SLACK = 16 << 10, ALIGNMENT = 16 };

/* Data of one state; lives as long as the process. */
struct extra {
        void *first;    /* the state itself; it lies inside of a block of malloc, so it is never freed */
        uint32_t slack; /* bytes that are skipped before the state */
        bool warns;     /* warn("@on") */
        bool continued;
};

static void *allocate(void *context, void *block, size_t old_size, size_t size)
{
        struct extra *x = context;
        (void)old_size;
        if (!x->first) {
                char *room = malloc(HEAP_SLACK + size);
                x->first = room ? room + x->slack : NULL;
                return x->first;
        }
        if (size > 0)
                return realloc(block, size);
        if (block != x->first)
                free(block);
        return NULL;
}

/* Like the warning function of luaL_newstate. */
static void print_warning(void *context, const char *message, int to_be_continued)
{
        struct extra *x = context;
        if (!x->continued && !to_be_continued && message[0] == '@') {
                if (strcmp(message + 1, "on") == 0)
                        x->warns = true;
                else if (strcmp(message + 1, "off") == 0)
                        x->warns = false;
                return;
        }
        if (!x->warns)
                return;
        fprintf(stderr, "%s%s%s", x->continued ? "" : "Lua warning: ", message, to_be_continued ? "" : "\n");
        fflush(stderr);
        x->continued = to_be_continued;
}

/* Lua takes the seed of its hashes from the time, and from the addresses of its state and its stack. Where the kernel
 * gives each process new addresses, that is random enough. But forks of one zygote have the same addresses. So both are
 * moved, by 26 random bits in all. luaL_newstate would not move the state. */
static lua_State *new_state(void)
{
        uint32_t chance[2];
        struct extra *x = calloc(1, sizeof *x);
        if (!x || getrandom(chance, sizeof chance, 0) != sizeof chance)
                return NULL;
        char *stack = alloca(ALIGNMENT + chance[0] % (STACK_SLACK / ALIGNMENT) * ALIGNMENT);
        *(char *volatile *)&stack = stack; /* otherwise the compiler removes the alloca */
        x->slack = chance[1] % (HEAP_SLACK / ALIGNMENT) * ALIGNMENT;
        lua_State *L = lua_newstate(allocate, x);
        if (L)
                lua_setwarnf(L, print_warning, x);
        return L;
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
        return message ? message : "(null)"; /* as printf prints NULL */
}

#define TREE LUA_VERSION_MAJOR "." LUA_VERSION_MINOR

static const char *const init_variables[] = { "LUA_INIT_5_4", "LUA_INIT", NULL };

const struct lua_dialect lua_dialect = {
        .program = "lua",
        .version = LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE,
        .tree = TREE,
        .init_variables = init_variables,
        .create = create,
        .seed = seed,
        .interrupt = interrupt,
        .traceback = traceback,
        .push_args = push_args,
        .describe = describe,
};

/* The command for a job that sets a variable of libc or of the dynamic linker (lang/startup.c): a running process no
 * longer reads those. A job that sets only Lua's own variables gets a new Lua state in the same process. */
static const char *const fresh[] = { "/usr/bin/lua5.4", "lua", "{interpreter_args}", "{entry}", NULL };
static const char *const prompt[] = { "/usr/bin/lua5.4", "lua", NULL };
static const struct lang_package_variable package_variables[] = {
        { "LUA_PATH_5_4", ";", LUA_PACKAGE_PATH(TREE) },
        { "LUA_CPATH_5_4", ";", LUA_PACKAGE_CPATH(TREE) },
        { 0 },
};

const struct lang hatchery_language = {
        .name = "lua",
        .aliases = "lua5.4",
        .extensions = "lua",
        .fresh = fresh,
        .prompt = prompt,
        .package_variables = package_variables,
        LUA_MEMBERS,
};
