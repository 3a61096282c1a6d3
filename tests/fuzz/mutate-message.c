/* The custom mutator of fuzzers whose input is one protobuf message. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/messages.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        return messages_mutate(data, size, max_size, seed);
}
