/* Programs by their first bytes: see program.h. */
#include "pool/core/program.h"

#include <elf.h>
#include <string.h>

bool program_can_start(struct span file)
{
        Elf64_Ehdr h;

        if (file.len >= 2 && memcmp(file.data, "#!", 2) == 0)
                return true;
        if (file.len < sizeof h || memcmp(file.data, ELFMAG, SELFMAG) != 0)
                return false;
        memcpy(&h, file.data, sizeof h);
        /* Position-independent programs and shared libraries have the same type (ET_DYN), but linkers give a library no
         * entry point. */
        return h.e_type == ET_EXEC || (h.e_type == ET_DYN && h.e_entry != 0);
}
