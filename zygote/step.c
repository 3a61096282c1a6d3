/* Running a table of steps: see step.h. */
#include "zygote/step.h"

size_t step_run(const struct step *steps, size_t n, void *context, int *error)
{
        *error = 0;
        for (size_t i = 0; i < n; i++) {
                *error = steps[i].run(context);
                if (*error < 0)
                        return i;
        }
        return n;
}
