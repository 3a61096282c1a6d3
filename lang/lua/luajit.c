/* LuaJIT, as Debian's `luajit` runs a file: the differences from Lua 5.4. Its hashes take their seed from the
 * kernel. */
#include "lang/lua/run.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static lua_State *create(void)
{
        lua_State *L = luaL_newstate();
        if (!L)
                return NULL;
        lua_gc(L, LUA_GCSTOP, 0);
        luaL_openlibs(L);
        lua_gc(L, LUA_GCRESTART, -1);
        return L;
}

/* With the command luajit, math.random begins with the same number in every run. Here it begins with a random one. */
static void seed(lua_State *L)
{
        uint64_t chance;
        if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
                abort();
        lua_getglobal(L, LUA_MATHLIBNAME);
        lua_getfield(L, -1, "randomseed");
        lua_pushnumber(L, (double)(chance >> 11)); /* as many bits as a double holds exactly */
        lua_call(L, 1, 0);
        lua_pop(L, 1);
}

static void interrupt(lua_State *L, lua_Debug *unused)
{
        (void)unused;
        lua_sethook(L, NULL, 0, 0);
        luaL_where(L, 0);
        lua_pushfstring(L, "%sinterrupted!", lua_tostring(L, -1));
        lua_error(L);
}

static int traceback(lua_State *L)
{
        if (!lua_isstring(L, 1)) {
                if (lua_isnoneornil(L, 1) || !luaL_callmeta(L, 1, "__tostring") || !lua_isstring(L, -1))
                        return 1;
                lua_remove(L, 1);
        }
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
        return 1;
}

/* Code in LUA_INIT may have changed or removed the table `arg`. */
static int push_args(lua_State *L)
{
        int n = 0;
        lua_getglobal(L, "arg");
        if (!lua_istable(L, -1)) {
                lua_pop(L, 1);
                return 0;
        }
        do {
                n++;
                luaL_checkstack(L, 3, "too many arguments to script");
                lua_rawgeti(L, -n, n);
        } while (!lua_isnil(L, -1));
        lua_pop(L, 1);
        lua_remove(L, -n);
        return n - 1;
}

static const char *describe(lua_State *L)
{
        if (lua_isnil(L, -1))
                return NULL;
        const char *message = lua_tostring(L, -1);
        return message ? message : "(error object is not a string)";
}

static void recover(lua_State *L)
{
        lua_gc(L, LUA_GCCOLLECT, 0);
}

#define TREE "5.1"

static const char *const init_variables[] = { "LUA_INIT", NULL };

const struct lua_dialect lua_dialect = {
        .program = "luajit",
        .version = LUAJIT_VERSION,
        .tree = TREE,
        .init_variables = init_variables,
        .create = create,
        .seed = seed,
        .interrupt = interrupt,
        .traceback = traceback,
        .push_args = push_args,
        .describe = describe,
        .recover = recover,
};

/* The command for a job that sets a variable of libc or of the dynamic linker (lang/startup.c): a running process no
 * longer reads those. A job that sets only Lua's own variables gets a new Lua state in the same process. */
static const char *const fresh[] = { "/usr/bin/luajit", "luajit", "{interpreter_args}", "{entry}", NULL };
static const char *const prompt[] = { "/usr/bin/luajit", "luajit", NULL };
static const struct lang_package_variable package_variables[] = {
        { "LUA_PATH", ";", LUA_PACKAGE_PATH(TREE) },
        { "LUA_CPATH", ";", LUA_PACKAGE_CPATH(TREE) },
        { 0 },
};

const struct lang hatchery_language = {
        .name = "luajit",
        .aliases = "",
        .extensions = "",
        .fresh = fresh,
        .prompt = prompt,
        .package_variables = package_variables,
        LUA_MEMBERS,
};
