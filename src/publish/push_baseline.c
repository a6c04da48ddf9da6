/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a new baseline reaches main: the commit, its message, the push, and the branch
 * that stands in where main is protected. What is in the file was decided elsewhere. */
#include "publish/push_baseline.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 65536, TIP_DIGITS = 7 };
static const char author_name[] = "ratchet";
static const char author_email[] = "ratchet@localhost";

/* The subject with `[skip ci]` where asked, the body, and the trailer in a paragraph of
 * its own, as `git interpret-trailers` reads it. */
static int write_message(const struct promote_request *request, bool skip_ci, struct buf *out,
                         struct err *err)
{
    const char *message = request->message;
    size_t len = strlen(message);
    while (len > 0 && (message[len - 1] == '\n' || message[len - 1] == ' '))
        len--;
    size_t subject = strcspn(message, "\n");
    if (subject > len)
        subject = len;
    buf_add(out, message, subject);
    buf_adds(out, skip_ci ? " [skip ci]" : "");
    buf_add(out, message + subject, len - subject);
    buf_addf(out, "\n\n" PROMOTION_TRAILER ": %s\n", request->device);
    return buf_check(out, "the commit message", err);
}

static int make_commit(const struct promote_request *request, const char *parent, bool skip_ci,
                       char sha[GIT_SHA_BYTES], struct err *err)
{
    BUF_AUTO message;
    buf_init(&message, MESSAGE_BYTES);
    if (write_message(request, skip_ci, &message, err) != 0)
        return -1;
    const struct git_change change = {
        .path = request->path, .bytes = request->bytes, .len = request->len};
    return git_commit_files(request->repo, parent, &change, 1, author_name, author_email,
                            message.data, sha, err);
}

/* The branch is there already, from an earlier attempt at this tip: with the same file it
 * serves as it is, with other samples it gets a commit on top. Not if it left the tip, or changes anything
 * else: whoever may write can push that name first, and what he has there would be merged by the name of a
 * promotion. `sha`: our commit on the tip; then what stands. */
static int reuse_branch(const struct promote_request *request, const char *ref,
                        char sha[GIT_SHA_BYTES], struct err *err)
{
    static const char *const all[] = {""};
    char there[GIT_SHA_BYTES], on_top[GIT_SHA_BYTES], first[256];
    bool stands = false, differs = false;
    if (git_fetch(request->repo, request->remote, ref, there, err) != 0 ||
        git_is_ancestor(request->repo, request->tip, there, &stands, err) != 0)
        return -1;
    if (!stands)
        return err_set(err, ERR_CONFLICT, "`%s` is taken by %s, which is not from %s", ref,
                       there, request->tip);
    if (git_differs(request->repo, sha, there, all, 1, &differs, NULL, err) != 0)
        return -1;
    if (!differs) {
        memcpy(sha, there, GIT_SHA_BYTES);
        return 0;
    }
    if (make_commit(request, there, false, on_top, err) != 0 ||
        git_differs(request->repo, sha, on_top, all, 1, &differs, first, err) != 0)
        return -1;
    if (differs)
        return err_set(err, ERR_CONFLICT, "`%s` is taken by %s, which changes `%s`", ref,
                       there, first);
    memcpy(sha, on_top, GIT_SHA_BYTES);
    return git_push_commit(request->repo, request->remote, sha, ref, there, err);
}

static int push_branch(const struct promote_request *request, struct promote_result *result,
                       struct err *err)
{
    char ref[sizeof "refs/heads/" + JOB_REF_BYTES];
    snprintf(result->branch, sizeof result->branch, "ratchet/promote-%s-%.*s", request->device,
             TIP_DIGITS, request->tip);
    snprintf(ref, sizeof ref, "refs/heads/%s", result->branch);
    struct err why = {0};
    /* No [skip ci] here: the pull request is to be checked like any other. */
    if (make_commit(request, request->tip, false, result->commit, err) != 0)
        return -1;
    if (git_push_commit(request->repo, request->remote, result->commit, ref, GIT_ZERO_SHA,
                        &why) == 0)
        return 0;
    if (why.class == ERR_CONFLICT)
        return reuse_branch(request, ref, result->commit, err);
    if (err != NULL)
        *err = why;
    return -1;
}

/* A pull request is a courtesy: where it cannot be opened, the branch still stands. */
static void open_pull(const struct promote_request *request, struct promote_result *result)
{
    char title[256];
    size_t subject = strcspn(request->message, "\n");
    snprintf(title, sizeof title, "%.*s", subject > 250 ? 250 : (int)subject,
             request->message);
    BUF_AUTO body;
    buf_init(&body, MESSAGE_BYTES);
    const char *rest = request->message + subject;
    rest += strspn(rest, "\n");
    buf_addf(&body,
             "%s%s`%s` does not take pushes, so this promotion waits here to be merged.\n",
             rest, *rest == '\0' ? "" : "\n\n", request->branch);
    struct err why = {0};
    if (buf_check(&body, "the pull request's text", &why) == 0 &&
        github_open_pull(request->github, result->branch, request->branch, title, body.data,
                         result->pull_url, &why) == 0)
        return;
    result->pull_url[0] = '\0';
    size_t used = strlen(result->declined);
    snprintf(result->declined + used, sizeof result->declined - used,
             "; no pull request was opened: %.200s", why.text);
}

/* Main said no. Credentials that are wrong altogether fail here again, and then it is an
 * error, told with what main said. */
static int fall_back(const struct promote_request *request, const struct err *declined,
                     struct promote_result *result, struct err *err)
{
    struct promote_result out = {.end = PROMOTED_ON_BRANCH};
    snprintf(out.declined, sizeof out.declined, "%.300s", declined->text);
    if (push_branch(request, &out, err) != 0)
        return err_wrap(err, "promotion of %s (direct push: %.300s)", request->device,
                        declined->text);
    if (request->github != NULL)
        open_pull(request, &out);
    *result = out;
    return 0;
}

int promote_push(const struct promote_request *request, struct promote_result *result,
                 struct err *err)
{
    struct promote_result out = {.end = PROMOTED};
    char ref[sizeof "refs/heads/" + JOB_REF_BYTES];
    snprintf(ref, sizeof ref, "refs/heads/%s", request->branch);
    if (make_commit(request, request->tip, true, out.commit, err) != 0)
        return -1;
    struct err why = {0};
    if (git_push_commit(request->repo, request->remote, out.commit, ref, request->tip, &why) <
        0) {
        if (why.class == ERR_AUTH)
            return fall_back(request, &why, result, err);
        if (why.class != ERR_CONFLICT) {
            if (err != NULL)
                *err = why;
            return -1;
        }
        out.end = PROMOTE_RACE;
        out.commit[0] = '\0';
        snprintf(out.declined, sizeof out.declined, "%.300s", why.text);
    }
    *result = out;
    return 0;
}
