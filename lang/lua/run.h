/* The common part of Lua 5.4 and LuaJIT: making a state, preparing it in a sandbox, and running a file as the
 * language's own command does. It is built once against each library; lua.c and luajit.c have the differences. */
#pragma once

#include "lang/lang.h"

#include <lua.h>

struct lua_dialect {
        const char *program;               /* the beginning of messages: the name of the command */
        const char *version;               /* "5.4.4" */
        const char *tree;                  /* luarocks' directories for modules: share/lua/TREE, lib/lua/TREE */
        const char *const *init_variables; /* variables with code to run before the program: the first that is set
                                              counts; ends with NULL */

        /* Makes a state with the standard libraries, as the command does, but with a fresh seed for its hashes; NULL
         * without memory. */
        lua_State *(*create)(void);

        /* Seeds math.random. */
        void (*seed)(lua_State *L);

        /* A hook that raises the error "interrupted!". */
        lua_Hook interrupt;

        /* The message handler of a protected call. */
        lua_CFunction traceback;

        /* Pushes the arguments that a program gets as `...`; returns their number. May raise an error. */
        int (*push_args)(lua_State *L);

        /* The command's text for the error object at the top of the stack; NULL for nothing. */
        const char *(*describe)(lua_State *L);

        /* Called after an error, to do what the command does before it goes on. May be NULL. */
        void (*recover)(lua_State *L);
};

/* The plug-in's dialect: that of lua.c, or that of luajit.c. */
extern const struct lua_dialect lua_dialect;

/* The common members of struct lang. */
int lua_run_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e);
int lua_run_after_fork(void *state);
void lua_run_rehearse(void *state);
int lua_run(void *state, const struct job *job);
#define LUA_MEMBERS                                                                                                    \
        .abi = LANG_ABI, .main_file = "main.lua", .kind = KIND_FORKED, .echoes = true, .warm = lua_run_warm,           \
        .after_fork = lua_run_after_fork, .rehearse = lua_run_rehearse, .run = lua_run

/* The variables by which the command finds packages, for files of Lua and of C. Two semicolons stand for the
 * default. */
#define LUA_PACKAGE_PATH(tree)                                                                                         \
        ";;" LANG_PACKAGES "/share/lua/" tree "/?.lua;" LANG_PACKAGES "/share/lua/" tree "/?/init.lua"
#define LUA_PACKAGE_CPATH(tree) ";;" LANG_PACKAGES "/lib/lua/" tree "/?.so"
