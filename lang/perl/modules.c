/* Modules that wait for their `require`: see modules.h. */
#include "lang/perl/modules.h"

#include <string.h>
#include <sys/stat.h>

/* Tables in PL_modglobal. REQUIRED: from a file name ("JSON/PP.pm") to the list of files that it required. HIDDEN: from
 * the name of a hidden file to a list: its place, and the files that it required. INC_AT_START is a list of
 * directories. */
#define REQUIRED     "hatchery.required"
#define HIDDEN       "hatchery.hidden"
#define INC_AT_START "hatchery.inc"

enum { NAME_MAX_LEN = 200 };

static HV *table(pTHX_ const char *key)
{
        SV **found = hv_fetch(PL_modglobal, key, (I32)strlen(key), 0);
        return found && SvROK(*found) ? MUTABLE_HV(SvRV(*found)) : NULL;
}

static void keep(pTHX_ const char *key, SV *what)
{
        (void)hv_store(PL_modglobal, key, (I32)strlen(key), newRV_noinc(what), 0);
}

/* ---------------------------------------------------------------- who requires whom */

/* The name of the innermost file that is being loaded; NULL if that is the program. */
static SV *loading(pTHX)
{
        for (PERL_SI *si = PL_curstackinfo; si; si = si->si_prev)
                for (I32 i = si->si_cxix; i >= 0; i--) {
                        PERL_CONTEXT *cx = &si->si_cxstack[i];
                        if (CxTYPE(cx) == CXt_EVAL && CxOLD_OP_TYPE(cx) == OP_REQUIRE)
                                return cx->blk_eval.old_namesv;
                }
        return NULL;
}

static void note(pTHX_ HV *required, SV *name)
{
        SV *by = loading(aTHX);
        HE *entry = by ? hv_fetch_ent(required, by, 1, 0) : NULL;
        if (!entry)
                return;
        if (!SvROK(HeVAL(entry)))
                sv_setrv_noinc(HeVAL(entry), MUTABLE_SV(newAV()));
        av_push(MUTABLE_AV(SvRV(HeVAL(entry))), newSVsv_nomg(name));
}

/* ---------------------------------------------------------------- a program asks */

static bool is_from_the_start(pTHX_ SV *directory)
{
        SV **start = hv_fetchs(PL_modglobal, INC_AT_START, 0);
        AV *list = start ? MUTABLE_AV(SvRV(*start)) : NULL;
        for (SSize_t i = 0; list && i <= av_top_index(list); i++)
                if (sv_eq(*av_fetch(list, i, 0), directory))
                        return true;
        return false;
}

/* Does the present @INC lead to the file at path, and to no other of that name before? */
static bool leads_to(pTHX_ SV *path, SV *name)
{
        AV *inc = GvAVn(PL_incgv);
        for (SSize_t i = 0; i <= av_top_index(inc); i++) {
                SV **item = av_fetch(inc, i, 0);
                if (!item || !SvOK(*item))
                        continue;
                if (SvROK(*item)) /* a hook may return anything */
                        return false;
                STRLEN len;
                const char *directory = SvPV(*item, len);
                if (SvCUR(path) == len + 1 + SvCUR(name) && memcmp(SvPVX(path), directory, len) == 0)
                        return true;
                struct stat st;
                SV *other = sv_2mortal(newSVpvf("%s/%s", directory, SvPV_nolen(name)));
                if (!is_from_the_start(aTHX_ * item) && stat(SvPVX(other), &st) == 0)
                        return false;
        }
        return false;
}

/* Removes all that our module had defined, except packages inside, so that another module of this name can be
 * loaded. */
static void forget_package(pTHX_ SV *name)
{
        SV *package = sv_2mortal(newSVpvs(""));
        const char *end = SvPVX(name) + SvCUR(name) - (SvCUR(name) > 3 ? 3 : 0); /* ".pm" */
        for (const char *s = SvPVX(name); s < end; s++)
                if (*s == '/')
                        sv_catpvs(package, "::");
                else
                        sv_catpvn(package, s, 1);
        HV *stash = gv_stashsv(package, 0);
        if (!stash)
                return;
        AV *names = MUTABLE_AV(sv_2mortal(MUTABLE_SV(newAV())));
        hv_iterinit(stash);
        for (HE *entry; (entry = hv_iternext(stash));) {
                SV *symbol = newSVhek(HeKEY_hek(entry));
                if (SvCUR(symbol) < 2 || strcmp(SvEND(symbol) - 2, "::") != 0)
                        av_push(names, symbol);
                else
                        SvREFCNT_dec_NN(symbol);
        }
        for (SSize_t i = 0; i <= av_top_index(names); i++)
                (void)hv_delete_ent(stash, *av_fetch(names, i, 0), G_DISCARD, 0);
}

static void reveal(pTHX_ HV *hidden, SV *name)
{
        HE *entry = hv_fetch_ent(hidden, name, 0, 0);
        if (!entry)
                return;
        AV *known = MUTABLE_AV(sv_2mortal(SvREFCNT_inc_simple_NN(SvRV(HeVAL(entry)))));
        (void)hv_delete_ent(hidden, name, G_DISCARD, 0);
        SV *path = *av_fetch(known, 0, 0);
        if (!leads_to(aTHX_ path, name)) {
                forget_package(aTHX_ name);
                return;
        }
        (void)hv_store_ent(GvHVn(PL_incgv), name, SvREFCNT_inc_simple_NN(path), 0);
        for (SSize_t i = 1; i <= av_top_index(known); i++)
                reveal(aTHX_ hidden, *av_fetch(known, i, 0));
}

EXTERN_C OP *Perl_pp_require(pTHX); /* libperl exports it, but no header for extensions has it */

/* Stands in for perl's own `require`, and ends by calling it. */
static OP *require_op(pTHX)
{
        dSP;
        SV *name = TOPs;
        if (SvPOK(name) && !SvNIOK(name) && !SvROK(name)) {
                HV *hidden = table(aTHX_ HIDDEN), *required = table(aTHX_ REQUIRED);
                if (hidden)
                        reveal(aTHX_ hidden, name);
                else if (required)
                        note(aTHX_ required, name);
        }
        return Perl_pp_require(aTHX);
}

/* ---------------------------------------------------------------- in the zygote */

void perl_modules_begin(pTHX)
{
        keep(aTHX_ REQUIRED, MUTABLE_SV(newHV()));
        PL_ppaddr[OP_REQUIRE] = require_op; /* libperl's table of functions for operations: one per process */
}

bool perl_modules_load(pTHX_ const char *name)
{
        size_t len = strlen(name);
        if (len == 0 || len > NAME_MAX_LEN ||
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789_:") != len)
                return false;
        SV *code = newSVpvf("require %s; 1", name);
        int saved = errno;
        ENTER;
        SAVETMPS;
        save_scalar(PL_errgv);
        SSize_t returned = eval_sv(code, G_SCALAR);
        dSP;
        bool is_loaded = returned == 1 && SvTRUE(TOPs);
        if (returned == 1)
                (void)POPs;
        PUTBACK;
        FREETMPS;
        LEAVE;
        SvREFCNT_dec_NN(code);
        errno = saved;
        return is_loaded;
}

void perl_modules_hide(pTHX)
{
        HV *inc = GvHVn(PL_incgv), *required = table(aTHX_ REQUIRED), *hidden = newHV();
        hv_iterinit(inc);
        for (HE *entry; (entry = hv_iternext(inc));) {
                SV *name = hv_iterkeysv(entry);
                if (!SvPOK(HeVAL(entry)))
                        continue;
                AV *known = newAV();
                av_push(known, newSVsv(HeVAL(entry)));
                HE *others = hv_fetch_ent(required, name, 0, 0);
                AV *list = others ? MUTABLE_AV(SvRV(HeVAL(others))) : NULL;
                for (SSize_t i = 0; list && i <= av_top_index(list); i++)
                        av_push(known, newSVsv(*av_fetch(list, i, 0)));
                (void)hv_store_ent(hidden, name, newRV_noinc(MUTABLE_SV(known)), 0);
        }
        hv_clear(inc);

        AV *directories = GvAVn(PL_incgv), *start = newAV();
        for (SSize_t i = 0; i <= av_top_index(directories); i++)
                av_push(start, newSVsv(*av_fetch(directories, i, 0)));
        keep(aTHX_ INC_AT_START, MUTABLE_SV(start));
        keep(aTHX_ HIDDEN, MUTABLE_SV(hidden));
        (void)hv_deletes(PL_modglobal, REQUIRED, G_DISCARD);
}
