/* What a run's client is told at its end. Private to run.c; the run has a session. */
#pragma once

#include "pool/core/run.h"

void run_answer_result(struct run *r);

/* The program could not be translated, or that was ended early: the compile stage is all there is. */
void run_answer_untranslated(struct run *r);

/* The sandbox could not set the job up. */
void run_answer_failure(struct run *r, const struct job_failure *f);

/* The run was ended for a reason of the server's. */
void run_answer_lost(struct run *r);
