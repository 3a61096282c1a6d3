/* Programs that are started ahead of their job: in each sandbox, a child of the main process that waits.
 *
 * The program gets the sandbox's standard streams, and a socket as descriptor 3, whose number is in HATCHERY_JOB. It
 * warms itself up, writes 'R' and reads the job, one frame: 32 bits of length, big-endian, and then strings that each
 * end with NUL:
 *
 *   the name of the file to start; "echo", or "compiled" (all that it would make is there), or ""; "merge" (standard
 *   error shall be standard output) or ""; the number of arguments, and the arguments; the request's variables as
 *   name=value, up to the end of the frame
 *
 * It answers with one byte: 'G', and then waits for one byte 'S' before it runs anything of the program; or 'C', when
 * it has said on its standard streams why the program does not compile, and then exits with the status for that; or
 * 'N', if a program that runs already can't do this job. Such a job goes to the run line, as does one whose warm
 * program is dead. Where there is no run line, the same program is started afresh, with the request's variables, the
 * heap that its memory limit allows, and one more word, "fresh". It has no need to warm itself up, and may not answer
 * 'N'. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct job;

struct prestart {
        pid_t pid;  /* of the program; 0: there is none */
        int sock;   /* owned */
        bool taken; /* it has the job */
};

/* In the zygote: starts the program and ends it when it is ready, so that a program that can't start is reported with
 * its own words. */
int prestart_try(char *const *warm, struct err *e);

/* Returns when the program waits for its job. 0, or a negative errno; then there is no program. */
int prestart_start(struct prestart *p, char *const *warm);

/* The same for a program that is started for this very job, with its variables. Ends the process itself if the program
 * was ended by a signal. */
int prestart_start_fresh(struct prestart *p, char *const *line, const struct job *job);

/* Hands the job over. 0: p->taken says whether it was taken. Positive: the status of a compiler that refused the
 * program. Ends the process itself if a compiler was ended by a signal. */
int prestart_offer(struct prestart *p, const struct job *job);

/* Ends a program that does not get the job. */
void prestart_end(struct prestart *p);

/* Lets a program run whose job was taken, and ends this process as it ends: returns its exit status, or dies of the
 * same signal. The program handles signals for the process group; this process stops and goes on with it. */
int prestart_follow(struct prestart *p);
