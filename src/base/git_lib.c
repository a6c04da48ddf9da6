/* SPDX-License-Identifier: Apache-2.0 */
/* Starts libgit2, and turns its codes into our errors. */
#include "base/git_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Shutting down after a second init only takes back the count, so no state of our own
 * says whether it already runs. The first init is never undone: it lives as long as we
 * do. */
int gitlib_start(struct err *err)
{
    int count = git_libgit2_init();
    if (count < 0)
        return err_set(err, ERR_HOST, "cannot start libgit2: %s", gitlib_words());
    if (count > 1) {
        git_libgit2_shutdown();
        return 0;
    }
    static const int levels[] = {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL,
                                 GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_PROGRAMDATA};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "") < 0)
            return err_set(err, ERR_INTERNAL, "cannot close libgit2's search path %d: %s",
                           levels[i], gitlib_words());
    /* libgit2 refuses the repositories of other users, since git would run the hooks,
     * filters and configured programs in them. We run none of those, read objects by their
     * hash, and close a repository's configuration once it is open (gitlib_open). */
    if (git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0) < 0)
        return err_set(err, ERR_INTERNAL, "cannot open other users' repositories: %s",
                       gitlib_words());
    /* After a power cut what is named is there: libgit2 1.5 reads an object file that was cut short
     * for ever. */
    if (git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1) < 0)
        return err_set(err, ERR_INTERNAL, "cannot have libgit2 sync files: %s",
                       gitlib_words());
    return 0;
}

const char *gitlib_words(void)
{
    const git_error *last = git_error_last();
    return last == NULL || last->message == NULL ? "libgit2 gave no reason" : last->message;
}

static enum err_class class_of_code(int code)
{
    static const struct {
        int code;
        enum err_class class;
    } table[] = {
        {GIT_ENOTFOUND, ERR_NOT_FOUND}, {GIT_EAUTH, ERR_AUTH},
        {GIT_EAMBIGUOUS, ERR_INPUT},    {GIT_EINVALIDSPEC, ERR_INPUT},
        {GIT_EINVALID, ERR_INPUT},      {GIT_EOWNER, ERR_HOST},
        {GIT_ECONFLICT, ERR_CONFLICT},  {GIT_EMERGECONFLICT, ERR_CONFLICT},
        {GIT_EMODIFIED, ERR_CONFLICT},  {GIT_ENONFASTFORWARD, ERR_CONFLICT},
        {GIT_ELOCKED, ERR_CONFLICT},    {GIT_ECERTIFICATE, ERR_HOST},
        {GIT_EPEEL, ERR_INPUT},         {GIT_EMISMATCH, ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return table[i].class;
    return ERR_HOST;
}

/* An object is found by its hash or not at all, so one that another names and that is not
 * there, or is something else, is lost. */
bool gitlib_damaged(int code)
{
    const git_error *last = git_error_last();
    switch (last == NULL ? GIT_ERROR_NONE : last->klass) {
    case GIT_ERROR_ODB: /* a short name may be ambiguous */
        return code == GIT_ERROR || code == GIT_ENOTFOUND || code == GIT_EMISMATCH;
    case GIT_ERROR_ZLIB:
        return code < 0;
    case GIT_ERROR_OBJECT: /* absent, locked, of another kind and so on are no damage */
    case GIT_ERROR_REFERENCE:
        return code == GIT_ERROR;
    default:
        return false;
    }
}

int gitlib_error(struct err *err, int code, const char *format, ...)
{
    char what[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    bool damaged = gitlib_damaged(code);
    err_write(err, damaged ? ERR_HOST : class_of_code(code), "%s: %s", what, gitlib_words());
    const git_error *last = git_error_last();
    if (err != NULL && damaged)
        err->errnum = EUCLEAN;
    else if (err != NULL && last != NULL && last->klass == GIT_ERROR_NOMEMORY)
        err->errnum = ENOMEM;
    return err_failed();
}
