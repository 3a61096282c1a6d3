/* Lua in a sandbox: see run.h.
 *
 * A state takes only 20 to 40 us to make. So each sandbox makes its own state before it reports warm, and does not
 * inherit one from the zygote. Then each sandbox has its own seed of the hashes. Preloaded modules have to be loaded
 * into a state. If there are any, all sandboxes inherit that state, with its seed. */
#include "lang/lua/run.h"
#include "lang/preload.h"

#include "lang/exit.h"
#include "lang/lua/echo.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct lua_runtime {
        const char *packages; /* NULL for none */
        lua_State *L;         /* NULL until a state is made */
};

/* A signal handler gets no state as an argument, so Lua's own command keeps it in such a variable, too. */
static lua_State *interrupted;
static lua_Hook interrupt;

/* ---------------------------------------------------------------- a state */

/* Appends to package.path or package.cpath. format takes the present value, and then the directory and the tree for
 * each appended entry. */
static void append_path(lua_State *L, const char *name, const char *format, const char *packages, const char *tree)
{
        lua_getglobal(L, LUA_LOADLIBNAME);
        lua_getfield(L, -1, name);
        lua_pushfstring(L, format, lua_tostring(L, -1), packages, tree, packages, tree);
        lua_setfield(L, -3, name);
        lua_pop(L, 2);
}

/* The packages come last, so that they hide no module of the system. */
static int prepare_state(lua_State *L)
{
        const struct lua_runtime *lua = lua_touserdata(L, 1);
        const char *packages = lua->packages, *tree = lua_dialect.tree;
        if (packages) {
                append_path(L, "path", "%s;%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua", packages, tree);
                append_path(L, "cpath", "%s;%s/lib/lua/%s/?.so", packages, tree);
        }
        return 0;
}

/* Calls f with a pointer, protected; an error leaves its object on the stack. */
static int call_protected(lua_State *L, lua_CFunction f, void *argument)
{
        lua_pushcfunction(L, f);
        lua_pushlightuserdata(L, argument);
        return lua_pcall(L, 1, 0, 0);
}

static int make_state(struct lua_runtime *lua)
{
        lua->L = lua_dialect.create();
        return lua->L && call_protected(lua->L, prepare_state, lua) == 0 ? 0 : -ENOMEM;
}

static bool require_module(lua_State *L, const char *name)
{
        lua_getglobal(L, "require");
        lua_pushstring(L, name);
        bool loaded = lua_pcall(L, 1, 0, 0) == 0;
        lua_settop(L, 0);
        return loaded;
}

/* Removes the record of a failed module. LuaJIT keeps one, and would report it to the program instead of the real
 * fault. */
static void forget_module(lua_State *L, const char *name)
{
        lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
        lua_pushnil(L);
        lua_setfield(L, -2, name);
        lua_pop(L, 1);
}

static bool load_module(void *context, const char *name)
{
        lua_State *L = context;
        bool loaded = require_module(L, name);
        if (!loaded)
                forget_module(L, name);
        return loaded;
}

int lua_run_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        size_t n = setup->n_preload;
        struct lua_runtime *lua = calloc(1, sizeof *lua);
        out->state = lua;
        if (!lua)
                return err_set(e, ENOMEM, "make Lua's state");
        lua->packages = setup->packages;
        snprintf(out->version, sizeof out->version, "%s",
                 lua_dialect.version + strcspn(lua_dialect.version, "0123456789"));
        if (n == 0)
                return 0;
        out->preloads = calloc(n, sizeof *out->preloads);
        if (!out->preloads || make_state(lua) < 0)
                return err_set(e, ENOMEM, "load the preloaded modules");
        for (size_t i = 0; i < n; i++)
                out->preloads[i] = preload_timed(load_module, lua->L, setup->preload[i]);
        fflush(NULL); /* otherwise each child would print the modules' output */
        lua_gc(lua->L, LUA_GCCOLLECT, 0);
        return 0;
}

static int seed(lua_State *L)
{
        lua_dialect.seed(L);
        return 0;
}

int lua_run_after_fork(void *state)
{
        struct lua_runtime *lua = state;
        if (exit_without_zygote() != 0)
                return -ENOMEM;
        int r = lua->L ? 0 : make_state(lua);
        if (r == 0 && call_protected(lua->L, seed, NULL) != 0)
                r = -EIO;
        return r;
}

/* Compiles and runs a program that prints. Its output goes nowhere, and it leaves no global names. */
void lua_run_rehearse(void *state)
{
        struct lua_runtime *lua = state;
        static const char program[] = "local t = {}\n"
                                      "for i = 1, 3 do t[i] = tostring(i) .. ('%d'):format(i) end\n"
                                      "print(pcall(error, table.concat(t, ' ')))\n";
        int real = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (real < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
                _exit(126);

        if (luaL_loadbuffer(lua->L, program, sizeof program - 1, "=rehearsal") != 0 || lua_pcall(lua->L, 0, 0, 0) != 0)
                _exit(126);
        fflush(stdout);

        if (dup2(real, STDOUT_FILENO) < 0)
                _exit(126);
        close(real);
        close(null);
}

/* ---------------------------------------------------------------- one program */

struct program {
        const struct lua_runtime *lua;
        const struct job *job;
        bool failed;
};

static void on_interrupt(int number)
{
        signal(number, SIG_DFL); /* a second SIGINT ends the process */
        /* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): the one function of Lua that a handler may call */
        lua_sethook(interrupted, interrupt, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void report(lua_State *L)
{
        const char *message = lua_dialect.describe(L);
        if (message)
                fprintf(stderr, "%s: %s\n", lua_dialect.program, message);
        fflush(stderr);
        lua_pop(L, 1);
}

/* Calls the function that lies below n arguments. Its results, or the error object, replace them on the stack. */
static int call(lua_State *L, int n)
{
        int base = lua_gettop(L) - n;
        lua_pushcfunction(L, lua_dialect.traceback);
        lua_insert(L, base);
        interrupted = L;
        interrupt = lua_dialect.interrupt;
        signal(SIGINT, on_interrupt);
        int r = lua_pcall(L, n, LUA_MULTRET, base);
        signal(SIGINT, SIG_DFL);
        lua_remove(L, base);
        if (r != 0 && lua_dialect.recover)
                lua_dialect.recover(L);
        return r;
}

static void set_arg(lua_State *L, const char *program, const struct job *job)
{
        lua_createtable(L, (int)job->header.n_args, 2);
        lua_pushstring(L, program);
        lua_rawseti(L, -2, -1);
        lua_pushstring(L, job->entry);
        lua_rawseti(L, -2, 0);
        for (int i = 0; job->args[i]; i++) {
                lua_pushstring(L, job->args[i]);
                lua_rawseti(L, -2, i + 1);
        }
        lua_setglobal(L, "arg");
}

/* Runs LUA_INIT: either code, or @ and the name of a file. Returns 0, or leaves an error object on the stack. */
static int run_init(lua_State *L)
{
        const char *const *name = lua_dialect.init_variables;
        while (*name && !getenv(*name))
                name++;
        const char *code = *name ? getenv(*name) : NULL;
        if (!code)
                return 0;
        int r;
        if (*code == '@')
                r = luaL_loadfile(L, code + 1);
        else
                r = luaL_loadbuffer(L, code, strlen(code), lua_pushfstring(L, "=%s", *name));
        return r == 0 ? call(L, 0) : r;
}

/* Pushes the text of the file as luaL_loadfile reads it: without a byte order mark, and without the contents of a first
 * line that begins with '#'. False if the file can't be read, is empty or is compiled: such a file has no last
 * expression to print. */
static bool push_source(lua_State *L, const char *entry)
{
        OWN_FD int fd = open(entry, O_RDONLY | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
                return false;
        char *text = lua_newuserdata(L, (size_t)st.st_size);
        ssize_t n = read(fd, text, (size_t)st.st_size);
        if (n != st.st_size || *text == LUA_SIGNATURE[0]) {
                lua_pop(L, 1);
                return false;
        }
        const char *from = text, *end = text + n;
        if (n >= 3 && memcmp(from, "\xef\xbb\xbf", 3) == 0)
                from += 3;
        if (from < end && *from == '#')
                while (from < end && *from != '\n')
                        from++;
        lua_pushlstring(L, from, (size_t)(end - from));
        lua_remove(L, -2);
        return true;
}

/* Replaces the chunk, or its error, by a chunk that returns the last expression. */
static bool replace_by_echo(lua_State *L, const char *entry, bool is_valid)
{
        size_t size;
        if (!push_source(L, entry))
                return false;
        const char *text = lua_tolstring(L, -1, &size);
        bool found = lua_echo_load(L, text, size, lua_pushfstring(L, "@%s", entry), is_valid);
        if (found)
                lua_replace(L, -4);
        lua_pop(L, 2);
        return found;
}

/* Prints the values of an expression by the global function print, as lua.c does. At `first` lies the nil before
 * them. */
static void print_values(lua_State *L, int first)
{
        lua_remove(L, first);
        int n = lua_gettop(L) - first + 1;
        if (n == 0)
                return;
        luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
        lua_getglobal(L, "print");
        lua_insert(L, first);
        if (lua_pcall(L, n, 0, 0) != 0) {
                const char *message = lua_tostring(L, -1);
                fprintf(stderr, "%s: error calling 'print' (%s)\n", lua_dialect.program, message ? message : "(null)");
        }
}

static int run_entry(lua_State *L, const struct job *job)
{
        int first = lua_gettop(L) + 1;
        int r = luaL_loadfile(L, job->entry);
        bool echo = job->header.echo && (r == 0 || r == LUA_ERRSYNTAX) && replace_by_echo(L, job->entry, r == 0);
        if (echo)
                r = 0;
        if (r == 0)
                r = call(L, lua_dialect.push_args(L));
        if (r == 0 && echo)
                print_values(L, first);
        return r;
}

/* A C function calls the program, as in Lua's own command. So a traceback ends with "[C]: in ?", as there. */
static int main_function(lua_State *L)
{
        struct program *p = lua_touserdata(L, 1);
        set_arg(L, lua_dialect.program, p->job);
        int r = run_init(L);
        if (r == 0)
                r = run_entry(L, p->job);
        if (r != 0)
                report(L);
        p->failed = r != 0;
        return 0;
}

/* Sets the job's variables. True if one is for Lua, which reads LUA_PATH and others when a state is made. */
static bool set_environment(char *const *env)
{
        bool concerns_lua = false;
        for (; *env; env++) {
                putenv(*env); /* a job's strings stay where they are */
                concerns_lua |= strncmp(*env, "LUA_", 4) == 0;
        }
        return concerns_lua;
}

int lua_run(void *state, const struct job *job)
{
        struct lua_runtime *lua = state;
        struct program p = { .lua = lua, .job = job };
        if (job->header.unbuffered)
                setvbuf(stdout, NULL, _IONBF, 0);
        if (set_environment(job->env) && (make_state(lua) < 0 || call_protected(lua->L, seed, NULL) != 0)) {
                fprintf(stderr, "%s: cannot create state: not enough memory\n", lua_dialect.program);
                return EXIT_FAILURE;
        }
        int r = call_protected(lua->L, main_function, &p);
        if (r != 0)
                report(lua->L);
        lua_close(lua->L); /* finalizers run */
        exit(r != 0 || p.failed ? EXIT_FAILURE : EXIT_SUCCESS);
}
