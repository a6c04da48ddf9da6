/* SPDX-License-Identifier: Apache-2.0 */
/* Owns commits that are made of a patch. */
#include "base/git_internal.h"

/* The tree of `parent` with the patch. */
static int apply(git_repository *lib, git_tree *parent, const char *patch, size_t len,
                 git_oid *tree, struct err *err)
{
    LIB_AUTO(diff) *diff = NULL;
    LIB_AUTO(index) *index = NULL;
    git_error_clear();
    int code = git_diff_from_buffer(&diff, patch, len);
    if (code >= 0 && git_diff_num_deltas(diff) == 0)
        return err_set(err, ERR_INPUT, "the patch changes nothing");
    if (code >= 0)
        code = git_apply_to_tree(&index, lib, parent, diff, NULL);
    if (code < 0 && !gitlib_damaged(code))
        return err_set(err, ERR_INPUT, "the patch does not apply: %.300s", gitlib_words());
    if (code >= 0)
        code = git_index_write_tree_to(tree, index, lib);
    return code >= 0 ? 0 : gitlib_error(err, code, "cannot apply a patch");
}

/* The parent's time and nobody's name: nothing of here and now. */
static int commit(git_repository *lib, const git_commit *parent, const git_oid *tree_id,
                  const char *message, char sha[GIT_SHA_BYTES], struct err *err)
{
    LIB_AUTO(tree) *tree = NULL;
    LIB_AUTO(signature) *who = NULL;
    git_oid id;
    const git_commit *parents[] = {parent};
    int code = git_tree_lookup(&tree, lib, tree_id);
    if (code == 0)
        code = git_signature_new(&who, "Ratchet", "ratchet@localhost", git_commit_time(parent),
                                 0);
    if (code == 0)
        code = git_commit_create(&id, lib, NULL, who, who, NULL, message, tree, 1, parents);
    if (code < 0)
        return gitlib_error(err, code, "cannot commit a patch");
    git_oid_tostr(sha, GIT_SHA_BYTES, &id);
    return 0;
}

int git_commit_patch(struct git_repo *repo, const char *parent, const char *patch, size_t len,
                     const char *message, char sha[GIT_SHA_BYTES], struct err *err)
{
    LIB_AUTO(commit) *base = NULL;
    LIB_AUTO(tree) *root = NULL;
    git_repository *lib;
    git_oid tree;
    if (gitlib_repo(repo, &lib, err) != 0 || gitlib_commit(repo, parent, &base, err) != 0 ||
        gitlib_root(repo, parent, &root, err) != 0 ||
        apply(lib, root, patch, len, &tree, err) != 0)
        return -1;
    if (git_oid_equal(&tree, git_tree_id(root)))
        return err_set(err, ERR_INPUT, "the patch changes nothing");
    return commit(lib, base, &tree, message, sha, err);
}
