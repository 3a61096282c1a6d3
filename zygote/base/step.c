/* Running a table of steps: see step.h. */
#include "zygote/base/step.h"

size_t step_run(const struct step *steps, size_t n, void *context, const struct faults *faults, int *error)
{
        *error = 0;
        for (size_t i = 0; i < n; i++) {
                enum fault fault = faults_find(faults, steps[i].name, error);
                if (fault == FAULT_NONE)
                        *error = steps[i].run(context);
                if (*error < 0)
                        return i;
        }
        return n;
}
