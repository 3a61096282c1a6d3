/* What fuzzers share. Each is one file with LLVMFuzzerTestOneInput, whose first comment lists the code that it reaches.
 * Built by clang with libFuzzer (./dev fuzz), or by any compiler with replay.c, which runs the committed corpus as a
 * unit test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For those that know the shape of their input; called by libFuzzer alone. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* What must hold for every input. A failure is a crash that libFuzzer keeps the input of. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
void fuzz_fail(const char *condition, const char *file, int line) __attribute__((noreturn));

/* Copies in fresh memory of exactly this length, so that a sanitizer sees any step beyond it; with a NUL, as text. Both
 * are freed by the caller. */
uint8_t *fuzz_copy(const uint8_t *data, size_t len);
char *fuzz_text(const uint8_t *data, size_t len);

/* Takes a number off the start of what is left of an input; 0 where nothing is left. */
struct fuzz_input {
        const uint8_t *data;
        size_t len;
};
uint8_t fuzz_byte(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);
