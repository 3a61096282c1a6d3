/* Treats the last expression of a program as Lua's interactive mode does. In Lua only calls are both expressions and
 * statements. `x + 1` at the end of a file is a syntax error, but with `return` before it, it gives its values. */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* If the program of `size` bytes ends with an expression, or with a call that is a statement: pushes a chunk that
 * returns nil and then the values of it, and returns true. Else pushes nothing, and returns false. Line numbers stay
 * the same, and the call does not become a tail call. is_valid: the unchanged program can be compiled. May raise an
 * error of Lua if memory runs out. */
bool lua_echo_load(lua_State *L, const char *program, size_t size, const char *chunk_name, bool is_valid);
