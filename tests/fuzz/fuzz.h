/* Shared by the fuzzers. Each fuzzer is one file with LLVMFuzzerTestOneInput. The first comment of the file lists the
 * code that the fuzzer reaches. A fuzzer is built by clang with libFuzzer (./dev fuzz), or by any compiler with
 * replay.c, which runs the committed corpus as a unit test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Defined by fuzzers that know the shape of their input. Only libFuzzer calls this function. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* A condition that must hold for every input. A failure is a crash, and libFuzzer keeps its input. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
void fuzz_fail(const char *condition, const char *file, int line) __attribute__((noreturn));

/* Return a copy in fresh memory of exactly this length, so that a sanitizer sees any access beyond the end. fuzz_text
 * adds a NUL. The caller frees the copy. */
uint8_t *fuzz_copy(const uint8_t *data, size_t len);
char *fuzz_text(const uint8_t *data, size_t len);

/* The rest of an input. The functions take a number from its start, and return 0 if nothing is left. */
struct fuzz_input {
        const uint8_t *data;
        size_t len;
};
uint8_t fuzz_byte(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);
