/* SPDX-License-Identifier: Apache-2.0 */
/* What lies at the paths of a commit: what a path is, keys that are equal exactly when a build
 * would see the same, and that nothing else is written. */
#include "gitbox.h"
#include "tests/tap.h"

static struct git_repo *repo; /* work/.git itself */

static const struct git_tree_limits roomy = {
    .bytes = 1 << 20, .entries = 1000, .depth = 32};

static void make_work(void)
{
    box_run(
        "git init -q -b main work; cd work; mkdir -p kernels/deep kernels.d common docs;"
        "echo a > kernels/a.cu; echo d > kernels/deep/d.h; echo x > kernels.d/x;"
        "echo u > common/util.h; echo r > README; echo m > docs/m; ln -s kernels through;"
        "ln -s a.cu kernels/link; git add -A;"
        "git update-index --add --cacheinfo 160000,$(printf '%%040d' 1),vendor/lib;"
        "git commit -qm main");
}

/* A branch off main with one change, as a shell script makes it. */
static void branch(const char *name, const char *script)
{
    box_run("cd work; git checkout -q -f -b %s main; { %s; }; git add -A; "
            "git update-index --add --cacheinfo 160000,$(printf '%%040d' ${pin:-1}),vendor/lib;"
            "git commit -q --allow-empty -m %s", name, script, name);
}

static const char *sha_of(const char *name)
{
    static char shas[4][GIT_SHA_BYTES];
    static unsigned next;
    char *sha = shas[next = (next + 1) % 4];
    struct err err = {0};
    if (git_resolve(repo, name, sha, &err) < 0)
        OK(false);
    return sha;
}

static void test_check_path(void)
{
    static const struct {
        const char *path;
        enum git_path_kind kind;
        const char *where;
    } paths[] = {
        {"kernels", GIT_PATH_FOLDER, "kernels"},
        {"kernels/", GIT_PATH_FOLDER, "kernels"},
        {"./kernels//deep", GIT_PATH_FOLDER, "kernels/deep"},
        {"", GIT_PATH_FOLDER, ""},
        {".", GIT_PATH_FOLDER, ""},
        {"kernels/a.cu", GIT_PATH_FILE, "kernels/a.cu"},
        {"kernels/*.cu", GIT_PATH_ABSENT, ""},
        {"kernel", GIT_PATH_ABSENT, ""},
        {"kernels/a.cu/b", GIT_PATH_ABSENT, ""},
        {"kernels/..", GIT_PATH_ABSENT, ""},
        {"../kernels", GIT_PATH_ABSENT, ""},
        {"Kernels", GIT_PATH_ABSENT, "kernels"},
        {"kernels/A.CU", GIT_PATH_ABSENT, "kernels/a.cu"},
        {"KERNELS/deep/none", GIT_PATH_ABSENT, ""},
        {"readme", GIT_PATH_ABSENT, "README"},
        {"vendor/lib", GIT_PATH_SUBMODULE, "vendor/lib"},
        {"vendor/lib/include", GIT_PATH_SUBMODULE, "vendor/lib"},
        {"through", GIT_PATH_LINK, "through"},
        {"through/a.cu", GIT_PATH_LINK, "through"},
        {"kernels/link", GIT_PATH_LINK, "kernels/link"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char where[256] = "?";
        enum git_path_kind kind = GIT_PATH_ABSENT;
        struct err err = {0};
        tap_case(paths[i].path);
        EQ_INT(git_check_path(repo, sha_of("main"), paths[i].path, &kind, where, &err), 0);
        EQ_INT(kind, paths[i].kind);
        EQ_STR(where, paths[i].where);
    }
    tap_case("a path without end");
    char path[3000], where[256];
    struct err err = {0};
    enum git_path_kind kind;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    OK(git_check_path(repo, sha_of("main"), path, &kind, where, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
}

/* What a path is, for one who may read `bytes` of folders. */
static int looked_up(struct git_lookup *lookup, const char *path)
{
    enum git_path_kind kind = GIT_PATH_ABSENT;
    struct err err = {0};
    EQ_INT(git_lookup_path(lookup, path, &kind, &err), 0);
    return (int)kind;
}

static unsigned long long tree_bytes(const char *path)
{
    return strtoull(box_line("git -C work cat-file -s main:%s", path), NULL, 10);
}

static void test_lookup(void)
{
    struct git_lookup *lookup = NULL;
    struct err err = {0};
    tap_case("many paths of one commit");
    EQ_INT(git_lookup_open(repo, sha_of("main"), 1 << 20, &lookup, &err), 0);
    EQ_INT(looked_up(lookup, "kernels/a.cu"), GIT_PATH_FILE);
    EQ_INT(looked_up(lookup, "./kernels//deep/"), GIT_PATH_FOLDER);
    EQ_INT(looked_up(lookup, "vendor/lib/include"), GIT_PATH_SUBMODULE);
    EQ_INT(looked_up(lookup, "through/a.cu"), GIT_PATH_LINK);
    EQ_INT(looked_up(lookup, "Kernels/a.cu"), GIT_PATH_ABSENT);
    EQ_INT(looked_up(lookup, "README/x"), GIT_PATH_ABSENT);
    git_lookup_close(&lookup);
    OK(lookup == NULL);

    tap_case("no more bytes of folders are read than were given");
    unsigned long long top = tree_bytes(""), kernels = tree_bytes("kernels");
    EQ_INT(git_lookup_open(repo, sha_of("main"), top + kernels, &lookup, &err), 0);
    EQ_INT(looked_up(lookup, "kernels/a.cu"), GIT_PATH_FILE);
    EQ_INT(looked_up(lookup, "kernels/a.cu"), GIT_PATH_ABSENT);
    EQ_INT(looked_up(lookup, "common/util.h"), GIT_PATH_ABSENT);
    EQ_INT(looked_up(lookup, "README"), GIT_PATH_FILE); /* the top was read */
    EQ_INT(looked_up(lookup, "kernels"), GIT_PATH_FOLDER);
    git_lookup_close(&lookup);
    EQ_INT(git_lookup_open(repo, sha_of("main"), top - 1, &lookup, &err), 0);
    EQ_INT(looked_up(lookup, "README"), GIT_PATH_ABSENT);
    git_lookup_close(&lookup);

    tap_case("a commit that is not there");
    OK(git_lookup_open(repo, "1111111111111111111111111111111111111111", 1 << 20, &lookup,
                       &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    OK(lookup == NULL);
}

/* ---- keys ---- */

static const char *key_of(const char *commit, const char *first, const char *second)
{
    static char keys[4][GIT_KEY_BYTES];
    static unsigned next;
    char *key = keys[next = (next + 1) % 4];
    const char *const paths[] = {first, second};
    struct err err = {0};
    EQ_INT(git_paths_key(repo, sha_of(commit), paths, second == NULL ? 1 : 2, key, &err), 0);
    return key;
}

static void same_key(bool same, const char *branch_name, const char *path)
{
    tap_case(branch_name);
    OK((strcmp(key_of("main", path, NULL), key_of(branch_name, path, NULL)) == 0) == same);
}

static void test_keys(void)
{
    branch("elsewhere", "echo changed > README; echo y > kernels.d/x; rm -r common");
    branch("bytes", "echo b > kernels/deep/d.h");
    branch("mode", "chmod +x kernels/a.cu");
    branch("name", "git mv kernels/a.cu kernels/b.cu");
    branch("more", "echo n > kernels/new");
    branch("moved", "git mv kernels src");
    branch("pinned", "pin=2");
    branch("became", "rm common/util.h; rmdir common; echo u > common");
    same_key(true, "elsewhere", "kernels");
    same_key(false, "bytes", "kernels");
    same_key(true, "bytes", "kernels/a.cu");
    same_key(false, "mode", "kernels");
    same_key(false, "mode", "kernels/a.cu");
    same_key(false, "name", "kernels");
    same_key(false, "name", "kernels/a.cu");
    same_key(false, "more", "kernels");
    same_key(false, "moved", "kernels");
    same_key(false, "pinned", "vendor");
    same_key(false, "pinned", "vendor/lib");
    same_key(false, "pinned", "vendor/lib/include");
    same_key(true, "pinned", "kernels");
    same_key(false, "became", "common");
    same_key(true, "moved", "through/a.cu"); /* nothing lies behind a link */
    same_key(false, "bytes", "");

    tap_case("the same files at another place are not the same");
    char at_kernels[GIT_KEY_BYTES];
    snprintf(at_kernels, sizeof at_kernels, "%s", key_of("main", "kernels", NULL));
    OK(strcmp(at_kernels, key_of("moved", "src", NULL)) != 0);
    OK(strcmp(at_kernels, key_of("main", "kernels", "common")) != 0);
    OK(strcmp(key_of("main", "common", NULL), key_of("main", "common/util.h", NULL)) != 0);

    tap_case("spelling, order and paths below others do not count");
    EQ_STR(key_of("main", "./kernels//", NULL), at_kernels);
    EQ_STR(key_of("main", "kernels/a.cu", "kernels"), at_kernels);
    EQ_STR(key_of("main", "kernels", "kernels"), at_kernels);
    EQ_STR(key_of("main", "kernels", "common"), key_of("main", "common", "kernels"));
}

/* ---- parts ---- */

static const char *files_of(const char *first, const char *second)
{
    const char *const paths[] = {first, second};
    struct git_part part = {.paths = paths, .path_count = second == NULL ? 1 : 2};
    struct err err = {0};
    if (!OK(git_checkout(repo, sha_of("main"), &part, "out", &roomy, &err) == 0))
        printf("# %s\n", err.text);
    const char *found = box_line("mkdir -p out; cd out; find . -mindepth 1 | LC_ALL=C sort | "
                                 "tr '\\n' ' '; rm -rf ../out");
    return found;
}

static void test_parts(void)
{
    tap_case("what is under the paths is written, and nothing else");
    EQ_STR(files_of("kernels", NULL), "./kernels ./kernels/a.cu ./kernels/deep "
                                      "./kernels/deep/d.h ./kernels/link ");
    EQ_STR(files_of("kernels/deep/d.h", "README"),
           "./README ./kernels ./kernels/deep ./kernels/deep/d.h ");
    EQ_STR(files_of("kernels/deep/", "kernels/a.cu"),
           "./kernels ./kernels/a.cu ./kernels/deep ./kernels/deep/d.h ");
    EQ_STR(files_of("kernels/deep", "kernels/deep/d.h"),
           "./kernels ./kernels/deep ./kernels/deep/d.h ");

    tap_case("a path that names nothing adds nothing, not even folders");
    EQ_STR(files_of("kernels/deep/none", "common"), "./common ./common/util.h ");
    EQ_STR(files_of("kernel", "kernels/a.cu/x"), "");
    EQ_STR(files_of("through/a.cu", NULL), "");
    EQ_STR(files_of("KERNELS", NULL), "");
    const char *const none[] = {NULL};
    struct git_part nothing = {.paths = none};
    struct err err = {0};
    EQ_INT(git_checkout(repo, sha_of("main"), &nothing, "out", &roomy, &err), 0);
    EQ_STR(box_line("ls -A out | wc -l; rmdir out"), "0");

    tap_case("the limits count what is written");
    const char *const readme[] = {"README"};
    struct git_part small = {.paths = readme, .path_count = 1};
    struct git_tree_limits tight = {.bytes = 2, .entries = 1, .depth = 0};
    EQ_INT(git_checkout(repo, sha_of("main"), &small, "out", &tight, &err), 0);
    box_run("rm -r out");
    tight.bytes = 1;
    OK(git_checkout(repo, sha_of("main"), &small, "out", &tight, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
}

static int list_file(void *context, const struct git_file *file, struct err *err)
{
    (void)err;
    if (file->bytes != NULL)
        buf_addf(context, "%s=%.*s", file->path, (int)file->len, file->bytes);
    else
        buf_addf(context, "%s: %zu\n", file->path, file->len);
    if (file->link)
        buf_adds(context, " is a link\n");
    return 0;
}

static int list_submodule(void *context, const char *path, const char *commit,
                          struct err *err)
{
    buf_addf(context, "%s@%.4s%s ", path, commit, commit + 36);
    return strcmp(path, "vendor/stop") == 0 ? err_set(err, ERR_INPUT, "enough") : 0;
}

static void test_each(void)
{
    struct err err = {0};
    const char *const paths[] = {"kernels/a.cu", "common"};
    struct git_part part = {.paths = paths, .path_count = 2};
    BUF_AUTO list;
    buf_init(&list, 4096);
    tap_case("each small file of a part");
    EQ_INT(git_each_file(repo, sha_of("main"), &part, &roomy, 2, list_file, &list, &err), 0);
    EQ_STR(list.data, "common/util.h=u\nkernels/a.cu=a\n");
    buf_clear(&list);
    EQ_INT(git_each_file(repo, sha_of("main"), &part, &roomy, 1, list_file, &list, &err), 0);
    EQ_STR(list.data, "common/util.h: 2\nkernels/a.cu: 2\n");

    tap_case("each submodule that a part holds or leads into");
    static const char *const with[] = {"", "vendor", "vendor/lib", "vendor/lib/in"};
    static const char *const without[] = {"kernels", "vendor/li", "vendor/library"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        part = (struct git_part){.paths = &with[i], .path_count = 1};
        buf_clear(&list);
        EQ_INT(git_each_submodule(repo, sha_of("main"), &part, &roomy, list_submodule, &list,
                                  &err), 0);
        EQ_STR(list.data, "vendor/lib@00000001 ");
    }
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        part = (struct git_part){.paths = &without[i], .path_count = 1};
        buf_clear(&list);
        EQ_INT(git_each_submodule(repo, sha_of("main"), &part, &roomy, list_submodule, &list,
                                  &err), 0);
        EQ_INT(list.len, 0);
    }
}

int main(void)
{
    int before = box_descriptors();
    struct err err = {0};
    box_open();
    make_work();
    if (!OK(git_open_existing("work", &repo, &err) == 0))
        printf("# %s\n", err.text);
    test_check_path();
    test_lookup();
    test_keys();
    test_parts();
    test_each();
    git_close(&repo);
    tap_case("no descriptor is left open");
    EQ_INT(box_descriptors(), before);
    box_close();
    return tap_done();
}
