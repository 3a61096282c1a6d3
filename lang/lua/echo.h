/* Treats the last expression of a program as Lua's interactive mode does. In Lua only calls are both expressions and
 * statements: `x + 1` at the end of a file is a syntax error, and gives its values if `return` is put before it. */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* If the program of that many bytes ends with an expression, or with a call that is a statement, pushes the chunk that
 * returns nil and then its values, and is true; else pushes nothing. Line numbers stay the same, and the call is no
 * tail call. is_valid: can the unchanged program be compiled? May raise an error of Lua if memory runs out.
 */
bool lua_echo_load(lua_State *L, const char *program, size_t size, const char *chunk_name, bool is_valid);
