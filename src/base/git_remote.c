/* SPDX-License-Identifier: Apache-2.0 */
/* One conversation with a remote: which addresses are spoken to, credentials, ceilings,
 * and what a failure means. libgit2 1.5 has no time-outs: every function here that talks
 * is called in a child that is killed. Copies between local repositories are here too. */
#include "base/git_internal.h"

#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { URL_BYTES_MAX = 2048, SIDEBAND_BYTES = 16384 };

/* ---- addresses ---- */

const char *gitlib_local_path(const char *url)
{
    static const char scheme[] = "file://";
    if (strncmp(url, scheme, sizeof scheme - 1) == 0)
        url += sizeof scheme - 1;
    return *url == '/' ? url : NULL;
}

/* The host of `https://host:port/…`: everything up to the port. */
static size_t host_length(const char *host)
{
    return *host == '[' ? strcspn(host, "]/") + (host[strcspn(host, "]/")] == ']')
                        : strcspn(host, ":/?#");
}

static bool is_loopback(const char *host)
{
    size_t len = host_length(host);
    static const char *const names[] = {"localhost", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncmp(host, names[i], len) == 0)
            return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

int gitlib_check_remote(const struct git_remote_spec *remote, struct err *err)
{
    const char *url = remote->url;
    if (url == NULL || strlen(url) >= URL_BYTES_MAX)
        return err_set(err, ERR_INPUT, "no git address, or one beyond %d bytes",
                       URL_BYTES_MAX - 1);
    bool local = gitlib_local_path(url) != NULL;
    for (const char *c = url; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c) || (!local && (unsigned char)*c <= ' '))
            return err_set(err, ERR_INPUT, "strange character in git address `%.200s`", url);
    if (local)
        return 0;
    bool secure = strncmp(url, "https://", 8) == 0;
    if (!secure && strncmp(url, "http://", 7) != 0)
        return err_set(err, ERR_INPUT,
                       "git address `%.200s` is neither https://, http:// nor "
                       "an absolute path",
                       url);
    const char *host = url + (secure ? 8 : 7);
    /* No text of this address: what stands before the @ may be a password. */
    if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
        return err_set(err, ERR_INPUT, "a git address must not hold credentials");
    if (host_length(host) == 0)
        return err_set(err, ERR_INPUT, "git address `%.200s` names no host", url);
    if (!secure && remote->token != NULL && !is_loopback(host))
        return err_set(err, ERR_INPUT,
                       "the token is not sent unencrypted to `%.200s`: use "
                       "https://",
                       url);
    return 0;
}

/* ---- sessions ---- */

void gitlib_session_init(struct gitlib_session *session, const struct git_remote_spec *spec)
{
    *session = (struct gitlib_session){.spec = spec};
    buf_init(&session->sideband, SIDEBAND_BYTES);
}

void gitlib_session_free(struct gitlib_session *session)
{
    buf_free(&session->sideband);
}

/* Called anew after each refusal, for ever: the second call is the answer to the
 * first. */
static int give_credentials(git_credential **out, const char *url, const char *user,
                            unsigned types, void *payload)
{
    struct gitlib_session *session = payload;
    (void)url;
    (void)user;
    if (session->asked || session->spec->token == NULL ||
        (types & GIT_CREDENTIAL_USERPASS_PLAINTEXT) == 0) {
        session->refused = true;
        return GIT_EUSER;
    }
    session->asked = true;
    return git_credential_userpass_plaintext_new(out, "x-access-token", session->spec->token);
}

static int count_bytes(const git_indexer_progress *progress, void *payload)
{
    struct gitlib_session *session = payload;
    if (progress->received_bytes <= session->spec->max_bytes)
        return 0;
    session->too_much = true;
    return GIT_EUSER;
}

static int keep_sideband(const char *text, int len, void *payload)
{
    struct gitlib_session *session = payload;
    if (len > 0)
        buf_add(&session->sideband, text, (size_t)len);
    return 0;
}

git_remote_callbacks gitlib_callbacks(struct gitlib_session *session)
{
    return (git_remote_callbacks){
        .version = GIT_REMOTE_CALLBACKS_VERSION,
        .credentials = give_credentials,
        .transfer_progress = count_bytes,
        .sideband_progress = keep_sideband,
        .payload = session,
    };
}

int gitlib_connect(git_repository *lib, struct gitlib_session *session,
                   git_direction direction, git_remote **remote, struct err *err)
{
    git_remote_create_options create = {
        .version = GIT_REMOTE_CREATE_OPTIONS_VERSION,
        .repository = lib,
        .flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC,
    };
    LIB_AUTO(remote) *made = NULL;
    git_error_clear();
    int code = git_remote_create_with_opts(&made, session->spec->url, &create);
    if (code < 0)
        return gitlib_remote_error(session, code, "use", err);
    git_remote_connect_options options = {
        .version = GIT_REMOTE_CONNECT_OPTIONS_VERSION,
        .callbacks = gitlib_callbacks(session),
        .proxy_opts = {.version = GIT_PROXY_OPTIONS_VERSION, .type = GIT_PROXY_NONE},
        /* To libgit2 1.5 this means none to another host, and none that drops TLS. */
        .follow_redirects = GIT_REMOTE_REDIRECT_NONE,
    };
    git_error_clear();
    session->asked = false;
    code = git_remote_connect_ext(made, direction, &options);
    if (code < 0)
        return gitlib_remote_error(session, code, "reach", err);
    *remote = made;
    made = NULL;
    return 0;
}

/* libgit2 has one code, -1, for most of what a server answers; the rest is in its
 * words. */
static enum err_class class_of_words(const char *words, int code)
{
    static const struct {
        const char *words;
        enum err_class class;
    } table[] = {
        {"status code: 404", ERR_NOT_FOUND}, {"status code: 403", ERR_AUTH},
        {"status code: 401", ERR_AUTH},      {"not our ref", ERR_NOT_FOUND},
        {"authentication", ERR_AUTH},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strstr(words, table[i].words) != NULL)
            return table[i].class;
    return code == GIT_EAUTH             ? ERR_AUTH
           : code == GIT_ENONFASTFORWARD ? ERR_CONFLICT
                                         : ERR_HOST;
}

/* Is it our own repository that is damaged? What cannot be inflated came just now. */
static bool is_of_ours(int code)
{
    const git_error *last = git_error_last();
    return gitlib_damaged(code) && last != NULL && last->klass != GIT_ERROR_ZLIB;
}

int gitlib_remote_error(const struct gitlib_session *session, int code, const char *doing,
                        struct err *err)
{
    const char *url = session->spec->url;
    if (session->refused)
        return err_set(err, ERR_AUTH, "cannot %s %s: %s", doing, url,
                       session->spec->token == NULL ? "credentials are asked for and none are "
                                                      "configured"
                                                    : "the credentials were refused");
    if (session->too_much)
        return err_set(err, ERR_LIMIT, "cannot %s %s: more than %llu bytes came", doing, url,
                       session->spec->max_bytes);
    const char *words = gitlib_words();
    enum err_class class = class_of_words(words, code);
    bool ours = class == ERR_HOST && is_of_ours(code);
    err_write(err, class, "cannot %s %s: %s", doing, url, words);
    if (err != NULL && ours)
        err->errnum = EUCLEAN;
    else if (err != NULL && class == ERR_HOST && gitlib_passes(code, words))
        err->errnum = EAGAIN;
    return err_failed();
}

int gitlib_advertised(git_remote *remote, const char *ref, bool *found, git_oid *oid,
                      struct err *err)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    git_error_clear();
    int code = git_remote_ls(&heads, &count, remote);
    if (code < 0)
        return gitlib_error(err, code, "cannot list the refs of %s", git_remote_url(remote));
    *found = false;
    for (size_t i = 0; i < count && !*found; i++) {
        if (strcmp(heads[i]->name, ref) != 0)
            continue;
        *found = true;
        *oid = heads[i]->oid;
    }
    return 0;
}

/* ---- local repositories ---- */

struct copy {
    git_indexer *indexer;
    git_indexer_progress progress;
    unsigned long long bytes, max_bytes;
    bool too_much;
};

/* git_packbuilder_write would do the same, and count no bytes. */
static int copy_chunk(void *bytes, size_t len, void *payload)
{
    struct copy *copy = payload;
    copy->bytes += len;
    copy->too_much = copy->bytes > copy->max_bytes;
    return copy->too_much ? GIT_EUSER
                          : git_indexer_append(copy->indexer, bytes, len, &copy->progress);
}

static int copy_pack(git_packbuilder *pack, const char *folder, struct copy *copy)
{
    LIB_AUTO(indexer) *indexer = NULL;
    int code = git_indexer_new(&indexer, folder, 0444, NULL, NULL);
    copy->indexer = indexer;
    if (code == 0)
        code = git_packbuilder_foreach(pack, copy_chunk, copy);
    return code == 0 ? git_indexer_commit(indexer, &copy->progress) : code;
}

/* Do not walk into what `to` has: the histories of its refs that `from` knows as well. */
static int hide_known(git_revwalk *walk, git_repository *from, git_repository *to)
{
    LIB_AUTO(reference_iterator) *refs = NULL;
    git_reference *next = NULL;
    int code = git_reference_iterator_new(&refs, to);
    while (code == 0 && (code = git_reference_next(&next, refs)) == 0) {
        LIB_AUTO(reference) *ref = next;
        LIB_AUTO(object) *commit = NULL;
        LIB_AUTO(commit) *here = NULL;
        if (git_reference_peel(&commit, ref, GIT_OBJECT_COMMIT) < 0 ||
            git_commit_lookup(&here, from, git_object_id(commit)) < 0)
            continue; /* a broken or foreign ref only costs some copying */
        code = git_revwalk_hide(walk, git_object_id(commit));
    }
    return code == GIT_ITEROVER ? 0 : code;
}

/* git notes beside a pack that what it lacks was left at the remote. */
static bool is_partial(git_repository *lib)
{
    char pattern[FILE_PATH_BYTES];
    glob_t found = {0};
    if (file_path(pattern, NULL, "%sobjects/pack/*.promisor", git_repository_commondir(lib)) !=
        0)
        return false;
    bool any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
    globfree(&found);
    return any;
}

int gitlib_copy(git_repository *from, git_repository *to, const git_oid *wanted, size_t count,
                unsigned long long max_bytes, struct err *err)
{
    LIB_AUTO(revwalk) *walk = NULL;
    LIB_AUTO(packbuilder) *pack = NULL;
    char folder[FILE_PATH_BYTES];
    if (file_path(folder, err, "%sobjects/pack", git_repository_commondir(to)) < 0 ||
        file_mkdirs(folder, 0755, err) != 0)
        return -1;
    git_error_clear();
    struct copy copy = {.max_bytes = max_bytes};
    int code = git_revwalk_new(&walk, from);
    for (size_t i = 0; i < count && code == 0; i++)
        code = git_revwalk_push(walk, &wanted[i]);
    if (code == 0)
        code = hide_known(walk, from, to);
    if (code == 0)
        code = git_packbuilder_new(&pack, from);
    if (code == 0)
        code = git_packbuilder_insert_walk(pack, walk);
    if (code == 0 && git_packbuilder_object_count(pack) > 0)
        code = copy_pack(pack, folder, &copy);
    if (copy.too_much)
        return err_set(err, ERR_LIMIT, "cannot copy from %s: more than %llu bytes came",
                       git_repository_path(from), max_bytes);
    if (code == GIT_ENOTFOUND && is_partial(from))
        return err_set(err, ERR_HOST,
                       "%s is a partial clone and lacks objects: clone it without --filter",
                       git_repository_path(from));
    return code < 0 ? gitlib_error(err, code, "cannot copy from %s to %s",
                                   git_repository_path(from), git_repository_path(to))
                    : 0;
}
