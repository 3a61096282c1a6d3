/* Forms of compilers' flags, and flags that match them: pool/config/flags.h. */
#include "pool/config/flags.h"

#include "tests/unit/unit.h"

static bool is(const char *form, const char *flag)
{
        return flags_match(form, span_of_text(flag));
}

static void a_flag_is_of_its_form_from_end_to_end(void **state)
{
        (void)state;
        assert_true(is("-O3", "-O3"));
        assert_true(is("-std={c++2,c++20,c++23}", "-std=c++20")); /* one word is the beginning of another */
        assert_true(is("-g{,0,1}", "-g") && is("-g{,0,1}", "-g1"));
        assert_true(is("-{a,b}-{c,d}", "-b-c"));
        assert_true(is("-D{NAME}={VALUE}", "-DX_1=-2.5e+3") && is("-D{NAME}={VALUE}", "-D_x="));
        const char *const not [][2] = {
                { "-O3", "-O" },
                { "-O3", "-O33" },
                { "-O3", "" },
                { "-std={c11}", "-std=" },
                { "-std={c11,c17}", "-std=c11,c17" },
                { "-D{NAME}", "-D" },
                { "-D{NAME}", "-D1" },
                { "-D{NAME}", "-DA=1" },
                { "-D{NAME}={VALUE}", "-DA=1 -x" },
                { "-D{NAME}={VALUE}", "-DA=\"/etc\"" },
                { "-D{NAME}={VALUE}", "-DA=/etc/passwd" },
                { "-l{m,dl}", "-l:main" },
                { "-W{all,extra}", "-Wl,-rpath,/tmp" },
                { "-{a,b}-{c,d}", "-b" },
        };
        for (size_t i = 0; i < sizeof not / sizeof not [0]; i++)
                if (is(not [i][0], not [i][1]))
                        fail_msg("%s must not match %s", not [i][1], not [i][0]);
}

static void a_form_begins_with_a_dash_and_closes_its_braces(void **state)
{
        (void)state;
        assert_true(flags_is_form("-O{0,1}") && flags_is_form("--edition={2021}") && flags_is_form("-D{NAME}={VALUE}"));
        assert_false(flags_is_form("O2") || flags_is_form("") || flags_is_form("-O{0,1") || flags_is_form("-O0}") ||
                     flags_is_form("-O{0{1}}") || flags_is_form("-D a"));
}

static void a_refusal_names_what_is_allowed(void **state)
{
        (void)state;
        char debug[] = "-g", standard[] = "-std={c11,c17}";
        char *forms[] = { debug, standard, NULL };
        struct span flags[] = { span_of_text("-g"), span_of_text("-fplugin=x.so") };
        struct submission x = { .language = span_of_text("c"), .compile_flags = flags, .n_compile_flags = 1 };
        struct refusal refusal = { 0 };

        assert_int_equal(flags_check(&x, forms, &refusal), 0);
        x.n_compile_flags = 2;
        assert_int_equal(flags_check(&x, forms, &refusal), REFUSED);
        assert_non_null(strstr(refusal.text, "-fplugin=x.so"));
        assert_non_null(strstr(refusal.text, "allowed are -g, -std={c11,c17}"));
        assert_int_equal(flags_check(&x, NULL, &refusal), REFUSED);
        assert_non_null(strstr(refusal.text, "takes none"));
        x.n_compile_flags = 0;
        assert_int_equal(flags_check(&x, NULL, &refusal), 0);
}

static void a_list_that_is_too_long_is_cut_between_two_forms(void **state)
{
        (void)state;
        char form[255], *forms[] = { form, form, form, NULL };
        struct span flag = span_of_text("-x");
        struct submission x = { .language = span_of_text("c"), .compile_flags = &flag, .n_compile_flags = 1 };
        struct refusal refusal = { 0 };

        memset(form, 'a', sizeof form - 1);
        form[0] = '-';
        form[sizeof form - 1] = '\0';
        assert_int_equal(flags_check(&x, forms, &refusal), REFUSED);
        assert_non_null(strstr(refusal.text, "a, and more"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_flag_is_of_its_form_from_end_to_end),
                cmocka_unit_test(a_form_begins_with_a_dash_and_closes_its_braces),
                cmocka_unit_test(a_refusal_names_what_is_allowed),
                cmocka_unit_test(a_list_that_is_too_long_is_cut_between_two_forms),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
