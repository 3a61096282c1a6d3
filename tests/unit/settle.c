/* The heap of a zygote before its first fork: zygote/settle.h. */
#include "unit.h"

#include "zygote/settle.h"

#include <stdint.h>
#include <stdlib.h>

enum { PIECES = 400 };

static uintptr_t place_of_next(size_t size)
{
        void *volatile piece = malloc(size);
        assert_non_null(piece);
        const uintptr_t place = (uintptr_t)piece;
        free(piece);
        return place;
}

static void a_small_request_gets_no_hole_between_old_data(void **state)
{
        static const size_t sizes[] = { 24, 100, 500, 1000, 2000, 4000, 8000 };
        enum { SIZES = sizeof sizes / sizeof sizes[0] };
        static void *piece[PIECES];
        (void)state;
#ifdef __SANITIZE_ADDRESS__
        skip(); /* its allocator fills no holes */
#endif
        uintptr_t last = 0;
        for (size_t i = 0; i < PIECES; i++) {
                piece[i] = malloc(sizes[i / 2 % SIZES]);
                last = (uintptr_t)piece[i] > last ? (uintptr_t)piece[i] : last;
        }
        for (size_t i = 0; i < PIECES; i += 2)
                free(piece[i]);
        for (size_t i = 0; i < SIZES; i++)
                assert_true(place_of_next(sizes[i]) < last);

        settle_heap();
        for (size_t i = 0; i < SIZES; i++)
                assert_true(place_of_next(sizes[i]) > last);
        for (size_t i = 1; i < PIECES; i += 2)
                free(piece[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_small_request_gets_no_hole_between_old_data),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
