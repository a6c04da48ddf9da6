/* SPDX-License-Identifier: Apache-2.0 */
/* git-config syntax from memory: order, names with dots, bare keys, and all that is
 * refused. */
#include "base/git.h"

#include "base/buf.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <unistd.h>

static int note(void *context, const char *section, const char *subsection,
                const char *key, const char *value, struct err *err)
{
    if (strcmp(key, "stop") == 0)
        return err_set(err, ERR_USAGE, "unknown key `%s`", key);
    buf_addf(context, "%s|%s|%s|%s\n", section, subsection, key, value);
    return 0;
}

/* "section|subsection|key|value" lines, or "class: text" of the error. */
static const char *read_bytes(const char *text, size_t len)
{
    static struct buf out;
    buf_free(&out);
    buf_init(&out, 1 << 20);
    struct err err = {0};
    if (git_read_config(text, len, "ci/test.conf", note, &out, &err) < 0) {
        buf_clear(&out);
        buf_addf(&out, "%d: %s", (int)err.class, err.text);
    }
    return out.data;
}

static const char *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void test_entries(void)
{
    tap_case("entries in file order, names in their case");
    EQ_STR(read_text("[rule]\n\tThreshold = 3% # loose\n  unclear\n"
                     "[Config \"b32.h8 S\"]\n shape=1,2\n"
                     "; remark\n[rule]\nthreshold = \"5 # %\"\nlooks = 6 \\\n 8\n"),
           "rule||threshold|3%\nrule||unclear|true\nconfig|b32.h8 S|shape|1,2\n"
           "rule||threshold|5 # %\nrule||looks|6  8\n");

    tap_case("a key given many times stays many, where it stood");
    EQ_STR(read_text(
               "[kernel]\npath = a\nname = n\npath = b\n[x]\nk=1\n[kernel]\npath = a\n"),
           "kernel||path|a\nkernel||name|n\nkernel||path|b\nx||k|1\nkernel||path|a\n");

    tap_case("subsections with dots, quotes, spaces and at the ends");
    EQ_STR(read_text("[repository \"o/na.me\"]\nurl = https://x\n"),
           "repository|o/na.me|url|https://x\n");
    EQ_STR(read_text("[a \".b.\"]\nc=d\n"), "a|.b.|c|d\n");
    EQ_STR(read_text("[a \"q\\\"r\\\\\"]\nc=d\n"), "a|q\"r\\|c|d\n");

    tap_case("nothing to read");
    EQ_STR(read_text(""), "");
    EQ_STR(read_text("# only a remark\n\n"), "");
    EQ_STR(read_text("[empty]\n"), "");

    tap_case("values as written");
    EQ_STR(read_text("[a]\nb =\nc = \"\"\nd = \"  x \"\ne = \\\"t\\\\n\n"),
           "a||b|\na||c|\na||d|  x \na||e|\"t\\n\n");
}

static void test_refusals(void)
{
    tap_case("a broken line is named");
    HAS(read_text("[a]\nb = 1\n[c\nd = 2\n"), "2: ci/test.conf:3: ");
    EQ_STR(read_text("b = 1\n"), "2: ci/test.conf: key `b` stands in no section");
    HAS(read_text("[a]\nb_c = 1\n"), "2: ci/test.conf:2: ");
    EQ_STR(read_text("[a]\nb = \\q\n"), "2: ci/test.conf: invalid escape at q");
    OK(strstr(read_text("[a\n"), "/proc") == NULL);

    tap_case("what git left in it is named, with its line");
    EQ_STR(read_text("[a]\nb = 1\n<<<<<<< HEAD\nc = 2\n=======\nc = 3\n>>>>>>> x\n"),
           "2: ci/test.conf:3: conflict marker `<<<<<<<`");
    EQ_STR(read_text("[a]\nb = 1\n=======\nc = 3\n"),
           "2: ci/test.conf:3: conflict marker `=======`");
    EQ_STR(read_text("[a]\nb = 1\n>>>>>>> topic\r\n"),
           "2: ci/test.conf:3: conflict marker `>>>>>>>`");
    EQ_STR(read_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n"),
           "2: ci/test.conf:1: pointer of Git LFS");
    EQ_STR(read_text("# ======= <<<<<<< x\n[a]\nb = \"<<<<<<< x\"\n"), "a||b|<<<<<<< x\n");

    tap_case("NUL bytes");
    EQ_STR(read_bytes("[a]\nb = 1\0c\n", 12), "2: ci/test.conf: holds a NUL byte");

    tap_case("the caller's own refusal ends the reading");
    EQ_STR(read_text("[a]\nb=1\nstop=2\nc=3\n"), "1: unknown key `stop`");
}

static void test_includes(void)
{
    char path[] = "/tmp/ratchet-test-XXXXXX";
    int fd = mkstemp(path);
    OK(fd >= 0 && write(fd, "[leaked]\nkey = 1\n", 17) == 17);
    close(fd);
    static const char *const heads[] = {"[include]",
                                        "[ \tinclude ]",
                                        "[InClude]",
                                        "[include \"x\"]",
                                        "[includeIf \"gitdir:/\"]",
                                        "[\ninclude]",
                                        "[a]\nb = 1 [include]"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char title[64];
        snprintf(title, sizeof title, "include, spelling %zu", i);
        tap_case(title);
        char text[256];
        snprintf(text, sizeof text, "[a]\nb = 1\n%s\npath = %s\n", heads[i], path);
        EQ_STR(read_text(text), "2: ci/test.conf: includes are not allowed");
    }
    unlink(path);
    tap_case("a key called include is only a key");
    EQ_STR(read_text("[a \"include\"]\npath = /x\n"), "a|include|path|/x\n");
}

int main(void)
{
    test_entries();
    test_refusals();
    test_includes();
    return tap_done();
}
