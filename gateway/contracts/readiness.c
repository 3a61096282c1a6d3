/* Readiness: see readiness.h. */
#include "gateway/contracts/readiness.h"

struct checks {
        FILE *to;
        enum readiness_lines lines;
        bool passed; /* no check has failed yet */
};

void readiness_line(FILE *to, const char *check, const char *fault)
{
        fprintf(to, fault ? "[-]%s failed: " : "[+]%s ok\n", check);
        if (!fault)
                return;
        for (; *fault; fault++) /* a line stays one line */
                putc((unsigned char)*fault < ' ' ? ' ' : *fault, to);
        putc('\n', to);
}

/* fault: why the check fails; NULL: it has passed. */
static void check(struct checks *c, const char *name, const char *fault)
{
        if (fault)
                c->passed = false;
        if (c->to && (fault || c->lines == READINESS_ALL))
                readiness_line(c->to, name, fault);
}

static void check_language(struct checks *c, const char *language, bool is_required, const char *fault)
{
        char name[64];

        snprintf(name, sizeof name, "%slanguage %s", is_required ? "" : "optional ", language);
        if (is_required)
                check(c, name, fault);
        else if (c->to && c->lines == READINESS_ALL) /* it takes no server out */
                readiness_line(c->to, name, fault);
}

bool readiness_check(const struct answer *status, enum readiness_lines lines, FILE *to)
{
        const hatchery_v1_Status *s = &status->m.answer.status;
        struct checks c = { .to = to, .lines = lines, .passed = true };
        bool any_ready = false;

        for (size_t i = 0; i < status->n_languages; i++)
                any_ready = any_ready || status->languages[i].ready;
        check(&c, "pool", NULL); /* it has answered */
        check(&c, "start", s->came_up ? NULL : "languages are still starting");
        check(&c, "serving",
              s->draining  ? "the server drains, and takes no new requests"
              : s->leaving ? "the server is about to end"
                           : NULL);
        check(&c, "languages", any_ready ? NULL : "no language is ready");
        for (size_t i = 0; i < status->n_languages; i++) {
                const hatchery_v1_LanguageStatus *l = &status->languages[i];
                check_language(&c, l->name, l->required, l->ready ? NULL : l->fault);
        }
        for (size_t i = 0; i < status->n_absent; i++)
                check_language(&c, status->absent[i].name, status->absent[i].required, status->absent[i].reason);
        return c.passed;
}
