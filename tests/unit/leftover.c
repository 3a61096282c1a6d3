/* The count of sockets in a namespace: zygote/leftover.h. */
#include "unit.h"

#include "zygote/leftover.h"

#include <string.h>

static long sockets(const char *text)
{
        return leftover_sockets(text, strlen(text));
}

static void the_number_of_sockets_is_read(void **state)
{
        (void)state;
        assert_int_equal(sockets("sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\n"), 0);
        assert_int_equal(sockets("sockets: used 7\n"), 7);
        assert_int_equal(sockets("sockets: used 1048576\nUDP: inuse 0 mem 0\n"), 1048576);
}

static void what_says_no_number_is_never_taken_for_none(void **state)
{
        (void)state;
        assert_int_equal(sockets(""), -1);
        assert_int_equal(sockets("sockets: used "), -1);
        assert_int_equal(sockets("sockets: used \n"), -1);
        assert_int_equal(sockets("sockets: used 0"), -1); /* "0" may be the beginning of a longer number */
        assert_int_equal(sockets("sockets: used -1\n"), -1);
        assert_int_equal(sockets("sockets: used 0x\n"), -1);
        assert_int_equal(sockets("sockets: used 99999999999999999999\n"), -1);
        assert_int_equal(sockets("TCP: inuse 0\n"), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_number_of_sockets_is_read),
                cmocka_unit_test(what_says_no_number_is_never_taken_for_none),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
