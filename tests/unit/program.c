/* Files that the kernel can start, and other files that compilers make. */
#include "pool/core/program.h"

#include "tests/unit/unit.h"

#include <elf.h>

static struct span elf(Elf64_Ehdr *h, unsigned type, unsigned entry)
{
        *h = (Elf64_Ehdr){ .e_type = (Elf64_Half)type, .e_entry = entry };
        memcpy(h->e_ident, ELFMAG, SELFMAG);
        return (struct span){ (const uint8_t *)h, sizeof *h };
}

static void programs_have_a_place_to_begin_at(void **state)
{
        (void)state;
        Elf64_Ehdr h;
        assert_true(program_can_start(elf(&h, ET_EXEC, 0x401000)));
        assert_true(program_can_start(elf(&h, ET_DYN, 0x1060)));
        assert_false(program_can_start(elf(&h, ET_DYN, 0)));
        assert_false(program_can_start(elf(&h, ET_REL, 0)));
}

static void what_is_cut_off_is_no_program(void **state)
{
        (void)state;
        Elf64_Ehdr h;
        struct span s = elf(&h, ET_EXEC, 1);
        for (s.len = 0; s.len < sizeof h; s.len++)
                assert_false(program_can_start(s));
}

static void scripts_name_their_interpreter(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                bool starts;
        } rows[] = {
                { "#!/bin/sh\n", true }, { "#!", true }, { "!<arch>\nx", false }, { "echo\n", false }, { "#", false }
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                assert_int_equal(program_can_start(span_of_text(rows[i].text)), rows[i].starts);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(programs_have_a_place_to_begin_at),
                cmocka_unit_test(what_is_cut_off_is_no_program),
                cmocka_unit_test(scripts_name_their_interpreter),
        };
        return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
