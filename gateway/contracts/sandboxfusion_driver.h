/* The Python program that runs the cells of a notebook: the bytes of sandboxfusion_driver.py, put into the program by
 * CMake. */
#pragma once

#include <stddef.h>

extern const unsigned char sandboxfusion_driver[];
extern const size_t sandboxfusion_driver_len;
