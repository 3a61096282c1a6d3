/* What Lua 5.4 and LuaJIT have in common: making a state, preparing it in a sandbox, and running a file as the
 * language's own command does. Built once against each library; lua.c and luajit.c say what differs. */
#pragma once

#include "lang/lang.h"

#include <lua.h>

struct lua_dialect {
        const char *program;               /* what messages begin with: the name of the command */
        const char *version;               /* "5.4.4" */
        const char *tree;                  /* where luarocks puts modules: share/lua/TREE, lib/lua/TREE */
        const char *const *init_variables; /* code to run before the program: the first that is set; ends with NULL */

        /* A state with the standard libraries, as the command makes it, but with a fresh seed for its hashes; NULL
         * without memory. */
        lua_State *(*create)(void);

        /* Seeds math.random. */
        void (*seed)(lua_State *L);

        /* A hook that raises the error "interrupted!". */
        lua_Hook interrupt;

        /* The message handler of a protected call. */
        lua_CFunction traceback;

        /* Pushes the arguments that a program gets as `...`; returns how many. May raise an error. */
        int (*push_args)(lua_State *L);

        /* What the command prints of an error object, which it is given at the top of the stack; NULL for nothing. */
        const char *(*describe)(lua_State *L);

        /* After an error: what the command does before it goes on. May be NULL. */
        void (*recover)(lua_State *L);
};

/* Of the plug-in: that of lua.c, or that of luajit.c. */
extern const struct lua_dialect lua_dialect;

/* The members of struct lang that both have in common. */
int lua_run_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e);
int lua_run_after_fork(void *state);
void lua_run_rehearse(void *state);
int lua_run(void *state, const struct job *job);
#define LUA_MEMBERS                                                                                                    \
        .abi = LANG_ABI, .main_file = "main.lua", .kind = KIND_FORKED, .echoes = true, .warm = lua_run_warm,           \
        .after_fork = lua_run_after_fork, .rehearse = lua_run_rehearse, .run = lua_run

/* What its own command finds packages by, for files of Lua and of C. Two semicolons stand for the default. */
#define LUA_PACKAGE_PATH(tree)                                                                                         \
        ";;" LANG_PACKAGES "/share/lua/" tree "/?.lua;" LANG_PACKAGES "/share/lua/" tree "/?/init.lua"
#define LUA_PACKAGE_CPATH(tree) ";;" LANG_PACKAGES "/lib/lua/" tree "/?.so"
