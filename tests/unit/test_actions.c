/* SPDX-License-Identifier: Apache-2.0 */
/* The Actions runner's files and commands, as its own library writes them. */
#include "publish/actions.h"
#include "publish/annotations.h"

#include "base/file.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err err;
static char folder[] = "/tmp/test_actions.XXXXXX";
static char path[64];

static void read_back(struct buf *out)
{
    buf_clear(out);
    OK(file_read(path, out, &err) == 0);
}

static void test_commands(void)
{
    BUF_AUTO out;
    buf_init(&out, 4096);
    tap_case("commands");
    actions_command(&out, "error", "T:1,2%", "100% bad: a,b\nline2");
    EQ_STR(out.data, "::error title=T%3A1%2C2%25::100%25 bad: a,b%0Aline2\n");
    buf_clear(&out);
    actions_command(&out, "notice", NULL, "a\r\n::error::b\x1b");
    EQ_STR(out.data, "::notice::a%0D%0A::error::b\n");
}

/* What a step would print of a compiler's lines. */
static void print_places(const char *text, struct buf *out)
{
    struct annotation place;
    while (annotation_next(&text, &place))
        actions_error_at(out, place.path, place.line, place.column, place.text);
}

static void test_places(void)
{
    static const struct {
        const char *line, *command;
    } lines[] = {
        {"a.c:3:5: error: no `x'", "::error file=a.c,line=3,col=5::no `x'\n"},
        {"./k/a.c:3: fatal error: b.h: No such file",
         "::error file=k/a.c,line=3::b.h: No such file\n"},
        {"/src/k/a.cu(12): error: expected a \";\"",
         "::error file=k/a.cu,line=12::expected a \";\"\n"},
        {"k/a.cu(7): error #20: identifier", "::error file=k/a.cu,line=7::identifier\n"},
        {"/build/src/a.c:1:2: error: x", "::error file=a.c,line=1,col=2::x\n"},
        {"\x1b[1ma.c:3:5: \x1b[31merror: \x1b[mred", "::error file=a.c,line=3,col=5::red\n"},
        {"a.c:3:5: error: 100% ::error::b\r", "::error file=a.c,line=3,col=5::100%25 ::error::b\n"},
        {"a%0A,b:c.c:3:5: error: x", "::error file=a%250A%2Cb%3Ac.c,line=3,col=5::x\n"},
        {"::error file=a.c:3:5: error: x",
         "::error file=%3A%3Aerror file=a.c,line=3,col=5::x\n"},
        {"a,line=9::b.c:3:5: error: x", "::error file=a%2Cline=9%3A%3Ab.c,line=3,col=5::x\n"},
        {"a.c:3:5: error: bad \xff", "::error file=a.c,line=3,col=5::bad \xef\xbf\xbd\n"},
        {"a.c:3:5: warning: x", ""},
        {"a.c:3:5: note: error: x", ""},
        {"a.c:0: error: x", ""},
        {"a.c:3:0: error: x", ""},
        {"a.c:12345678901: error: x", ""},
        {"a.c:3:5: error: ", ""},
        {"a.c: error: x", ""},
        {":3: error: x", ""},
        {"/etc/passwd:3:5: error: x", ""},
        {"/src/../etc/passwd:3:5: error: x", ""},
        {"../a.c:3:5: error: x", ""},
        {"k/../a.c:3:5: error: x", ""},
        {"k//a.c:3:5: error: x", ""},
        {"k/:3:5: error: x", ""},
        {"/src/:3:5: error: x", ""},
    };
    tap_case("places that a compiler names");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        BUF_AUTO out;
        buf_init(&out, 4096);
        print_places(lines[i].line, &out);
        EQ_STR(out.len == 0 ? "" : out.data, lines[i].command);
    }

    tap_case("a line without an end, and many");
    static char big[8000];
    BUF_AUTO out;
    buf_init(&out, 1 << 16);
    memset(big, 'x', sizeof big - 1);
    memcpy(big, "a.c:1: error: ", 14);
    print_places(big, &out);
    OK(out.len > 500 && out.len < 1200);
    memset(big, 'x', sizeof big - 1);
    memcpy(big + 2000, ":1: error: ", 11);
    buf_clear(&out);
    print_places(big, &out);
    EQ_INT(out.len, 0);
    print_places("cc -c\na.c:1: error: x\n  ^\nb.c(2): error: y\n", &out);
    EQ_STR(out.data, "::error file=a.c,line=1::x\n::error file=b.c,line=2::y\n");
}

static void test_log_lines(void)
{
    static const struct {
        const char *line, *safe;
    } lines[] = {
        {"cc -c a.c", "cc -c a.c\n"},
        {"std::vector<int>::x", "std::vector<int>::x\n"},
        {"::error::x", ":\xe2\x80\x8b:error::x\n"},
        {"  \t::set-output name=a::b", "  \t:\xe2\x80\x8b:set-output name=a::b\n"},
        {"\xc2\xa0::error::x", "\xc2\xa0:\xe2\x80\x8b:error::x\n"},
        {"\xe3\x80\x80::error::x", "\xe3\x80\x80:\xe2\x80\x8b:error::x\n"},
        {"\x01::error::x", ":\xe2\x80\x8b:error::x\n"},
        {"\xe2\x80\x8b::error::x", ":\xe2\x80\x8b:error::x\n"},
        {"\x1b[31m::error::x", ":\xe2\x80\x8b:error::x\n"},
        {"\r::error::x", " :\xe2\x80\x8b:error::x\n"},
        {"a\r::error::x", "a ::error::x\n"},
        {"x ##[error]y", "x ##\xe2\x80\x8b[error]y\n"},
        {"##[add-mask]a ##[b]", "##\xe2\x80\x8b[add-mask]a ##\xe2\x80\x8b[b]\n"},
        {"#\x01#[error]", "##\xe2\x80\x8b[error]\n"},
        {"###[error]", "###\xe2\x80\x8b[error]\n"},
        {"bad \xff", "bad \xef\xbf\xbd\n"},
        {"::", ":\xe2\x80\x8b:\n"},
        {":", ":\n"},
        {"", "\n"},
        {"   ", "   \n"},
    };
    tap_case("foreign log lines");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        BUF_AUTO out;
        buf_init(&out, 4096);
        actions_log_line(&out, lines[i].line, strlen(lines[i].line));
        EQ_STR(out.data, lines[i].safe);
    }
}

static void test_outputs(void)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 16);
    tap_case("step outputs");
    unlink(path);
    OK(actions_output(path, "verdict", "held", &err) == 0);
    read_back(&text);
    char delimiter[64] = "";
    OK(sscanf(text.data, "verdict<<%60s\n", delimiter) == 1);
    EQ_INT(strlen(delimiter), 13 + 36);
    OK(strncmp(delimiter, "ghadelimiter_", 13) == 0);
    OK(delimiter[13 + 14] == '4'); /* the version of the UUID */
    char want[512];
    snprintf(want, sizeof want, "verdict<<%s\nheld\n%s\n", delimiter, delimiter);
    EQ_STR(text.data, want);

    tap_case("a value that would set another output");
    OK(actions_output(path, "reason", "a\nEOF\nevil=1\nx<<y\n", &err) == 0);
    read_back(&text);
    HAS(text.data, "\na\nEOF\nevil=1\nx<<y\n\nghadelimiter_");
    const char *second = strstr(text.data, "reason<<");
    OK(second != NULL && strstr(second + 8, delimiter) == NULL); /* a new one each time */

    tap_case("outputs that cannot be");
    OK(actions_output(path, "a=b", "x", &err) == -1);
    OK(actions_output(path, "a\nb", "x", &err) == -1);
    OK(actions_output(path, "", "x", &err) == -1);
    char missing[128];
    snprintf(missing, sizeof missing, "%s/no/such", folder);
    OK(actions_output(missing, "a", "x", &err) == -1);
    HAS(err.text, "no/such");
}

static void test_summary(void)
{
    enum { MIB = 1 << 20 };
    static char big[MIB + 100];
    BUF_AUTO text;
    buf_init(&text, 2 * MIB);
    tap_case("summary");
    unlink(path);
    OK(actions_summary(path, "# a", 3, &err) == 0);
    OK(actions_summary(path, "b\n", 2, &err) == 0);
    read_back(&text);
    EQ_STR(text.data, "# a\nb\n");

    tap_case("a summary that is too long");
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = i % 50 == 49 ? '\n' : 'x';
    OK(actions_summary(path, big, sizeof big, &err) == 0);
    read_back(&text);
    OK(text.len <= MIB && text.len > MIB - 100);
    HAS(text.data, "# a\nb\n> The rest is left out here");
    OK(text.data[text.len - 1] == '\n');

    tap_case("a summary that is full");
    OK(actions_summary(path, big, sizeof big, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    OK(actions_summary(path, "x", 1, &err) == 0 || err.class == ERR_LIMIT);

    tap_case("a summary that just fits");
    unlink(path);
    OK(actions_summary(path, big, MIB - 1, &err) == 0);
    read_back(&text);
    EQ_INT(text.len, MIB);
    OK(strstr(text.data, "left out") == NULL);
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/file", folder);
    test_commands();
    test_places();
    test_log_lines();
    test_outputs();
    test_summary();
    unlink(path);
    rmdir(folder);
    return tap_done();
}
