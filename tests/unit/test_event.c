/* SPDX-License-Identifier: Apache-2.0 */
/* Actions payloads: what is taken from them, what is refused and in which words. */
#include "intake/event.h"

#include "base/name.h"
#include "intake/choices.h"
#include "tests/tap.h"
#include "tests/unit/mutate.h"

#include <stdlib.h>

#define SHA "1a2b3c4d5e6f708192a3b4c5d6e7f80912345678"
#define REPOSITORY "\"repository\":{\"id\":7,\"full_name\":\"acme/kernels\"}"

static const char pull[] =
    "{\"action\":\"synchronize\",\"number\":12,\"before\":\"x\",\"pull_request\":{\"number\":12,"
    "\"state\":\"open\",\"title\":\"::error::hi\",\"head\":{\"label\":\"a:b\",\"sha\":\"" SHA
    "\",\"repo\":null},\"labels\":[]}," REPOSITORY ",\"sender\":{\"login\":\"mallory\"}}";
static const char dispatch[] =
    "{\"inputs\":{\"pull-request\":\"12\"},\"ref\":\"refs/heads/main\"," REPOSITORY "}";
static const char push[] =
    "{\"ref\":\"refs/heads/main\",\"before\":\"" SHA "\",\"after\":\"" SHA
    "\",\"deleted\":false,\"head_commit\":{\"message\":\"faster\",\"added\":[],\"modified\":"
    "[\"kernels/a.c\"],\"removed\":[]}," REPOSITORY "}";

#define OTHER_SHA "2b3c4d5e6f708192a3b4c5d6e7f809123456781a"
#define GROUP(action, head_ref, base_ref, base)                                            \
    "{\"action\":\"" action "\",\"merge_group\":{\"head_sha\":\"" OTHER_SHA            \
    "\",\"head_ref\":\"" head_ref "\",\"base_sha\":\"" base "\",\"base_ref\":\"" base_ref   \
    "\",\"head_commit\":null}," REPOSITORY "}"
static const char group[] = GROUP(
    "checks_requested", "refs/heads/gh-readonly-queue/main/pr-104-" SHA, "refs/heads/main", SHA);

static struct event event;
static struct err err;

static int parse(const char *name, const char *text)
{
    event = (struct event){0};
    err = (struct err){0};
    return event_parse(name, text, strlen(text), &event, &err);
}

static void refused(const char *name, const char *text, const char *message)
{
    event.pr = 77;
    err = (struct err){0};
    OK(event_parse(name, text, strlen(text), &event, &err) == -1);
    EQ_STR(err.text, message);
    EQ_INT(err.class, ERR_INPUT);
    EQ_INT(event.pr, 77); /* untouched */
}

static void test_pull_request(void)
{
    tap_case("a pull request");
    OK(parse("pull_request", pull) == 0);
    EQ_STR(event.name, "pull_request");
    EQ_STR(event.repository, "acme/kernels");
    EQ_INT(event.kind, JOB_CHECK);
    EQ_INT(event.pr, 12);
    EQ_STR(event.head, SHA);
    OK(!event.ignored);

    OK(parse("pull_request_target", pull) == 0);
    EQ_STR(event.name, "pull_request_target");
    EQ_INT(event.pr, 12);

    tap_case("its actions");
    static const char *const taken[] = {"opened", "synchronize", "reopened", "edited", "labeled",
                                        "unlabeled", "ready_for_review", "closed"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "{\"action\":\"%s\",\"pull_request\":{\"number\":3},%s}",
                 taken[i], REPOSITORY);
        OK(parse("pull_request", text) == 0 && event.pr == 3);
        OK(event.ignored == (strcmp(taken[i], "closed") == 0));
        OK(event.ignored == (event.why[0] != '\0'));
    }
    refused("pull_request",
            "{\"action\":\"assigned\",\"pull_request\":{\"number\":3}," REPOSITORY "}",
            "pull_request event: action: `assigned` is not handled; use the types opened, "
            "synchronize, reopened, edited, labeled, unlabeled, ready_for_review");

    tap_case("pull requests that are not right");
    static const char hint[] =
        "pull_request event: pull_request: missing, expected an object (GitHub leaves it out "
        "for some merged pull requests and forks: start the workflow by hand with its number)";
    refused("pull_request", "{\"action\":\"opened\"," REPOSITORY "}", hint);
    refused("pull_request", "{\"action\":\"opened\",\"pull_request\":null," REPOSITORY "}", hint);
    OK(parse("pull_request", "{\"action\":\"opened\",\"number\":8,\"pull_request\":null," REPOSITORY "}") == 0);
    EQ_INT(event.pr, 8);
    EQ_STR(event.head, "");
    refused("pull_request", "{\"action\":\"opened\",\"number\":0," REPOSITORY "}",
            "pull_request event: number: expected a whole number from 1 to 2147483647");
    refused("pull_request", "{\"action\":\"opened\",\"pull_request\":[]," REPOSITORY "}",
            "pull_request event: pull_request: expected an object");
    refused("pull_request", "{\"pull_request\":{\"number\":3}," REPOSITORY "}",
            "pull_request event: action: missing, expected a string");
    refused("pull_request",
            "{\"action\":\"opened\",\"pull_request\":{\"number\":\"3\"}," REPOSITORY "}",
            "pull_request event: pull_request.number: expected a whole number");
    refused("pull_request",
            "{\"action\":\"opened\",\"pull_request\":{\"number\":-3}," REPOSITORY "}",
            "pull_request event: pull_request.number: expected a whole number from 1 to "
            "2147483647");
    refused("pull_request",
            "{\"action\":\"opened\",\"number\":4,\"pull_request\":{\"number\":3}," REPOSITORY "}",
            "pull_request event: pull_request.number: is 3, but the event's own number is 4");
    refused("pull_request",
            "{\"action\":\"opened\",\"pull_request\":{\"number\":3,\"head\":{\"sha\":\"main\"}},"
            REPOSITORY "}",
            "pull_request event: pull_request.head.sha: expected 40 hex digits, not `main`");
    refused("pull_request",
            "{\"action\":\"opened\",\"number\":3,\"number\":4,\"pull_request\":{\"number\":3},"
            REPOSITORY "}",
            "pull_request event: line 1: not JSON: duplicate object key near '\"number\"'");
}

/* ---- comments ---- */

static const char comment[] =
    "{\"action\":\"created\",\"issue\":{\"number\":12,\"pull_request\":{\"url\":\"x\"}},"
    "\"comment\":{\"id\":9,\"body\":\"/ratchet run " SHA "\",\"user\":{\"login\":\"alice\"}}," REPOSITORY "}";

static int say(const char *action, const char *pull_request, const char *body)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"action\":\"%s\",\"issue\":{\"number\":12%s},\"comment\":{\"body\":%s}," REPOSITORY "}",
             action, pull_request, body);
    return parse("issue_comment", text);
}

static void test_comment(void)
{
    static const char on[] = ",\"pull_request\":{}";
    tap_case("a comment");
    OK(parse("issue_comment", comment) == 0);
    EQ_INT(event.kind, JOB_CHECK);
    EQ_INT(event.pr, 12);
    EQ_STR(event.head, SHA);
    EQ_STR(event.commenter, "alice");
    OK(event.by_comment && !event.ignored);

    tap_case("bodies");
    static const struct {
        const char *body, *head; /* NULL: ignored */
    } bodies[] = {{"\"/ratchet run\"", ""},
                  {"\"/ratchet run \"", ""},
                  {"\"/ratchet run \\t" SHA " \\r\\nmore\"", SHA},
                  {"\"/ratchet run 1a2b3c4d5e6f\"", ""},
                  {"\"/ratchet run " SHA "0\"", ""},
                  {"\"/ratchet run " SHA " now\"", ""},
                  {"\"/ratchet run\\n" SHA "\"", ""},
                  {"\"/ratchet runs " SHA "\"", NULL},
                  {"\"/Ratchet run " SHA "\"", NULL},
                  {"\" /ratchet run " SHA "\"", NULL},
                  {"\"> /ratchet run " SHA "\"", NULL},
                  {"\"no\\n/ratchet run " SHA "\"", NULL},
                  {"\"\"", NULL}};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        OK(say("created", on, bodies[i].body) == 0);
        OK(event.ignored == (bodies[i].head == NULL));
        EQ_STR(event.head, bodies[i].head == NULL ? "" : bodies[i].head);
        EQ_INT(event.pr, event.ignored ? 0 : 12);
    }
    tap_case("comments that ask for nothing");
    OK(say("edited", on, "\"/ratchet run\"") == 0 && event.ignored);
    HAS(event.why, "as it was written");
    OK(say("deleted", on, "\"/ratchet run\"") == 0 && event.ignored);
    OK(say("created", "", "\"/ratchet run\"") == 0 && event.ignored);
    HAS(event.why, "no pull request");
    OK(say("created", ",\"pull_request\":null", "\"/ratchet run\"") == 0 && event.ignored);

    tap_case("comments that are not right");
    refused("issue_comment", "{" REPOSITORY "}", "issue_comment event: action: missing, expected a string");
    refused("issue_comment", "{\"action\":\"created\"," REPOSITORY "}",
            "issue_comment event: issue: missing, expected an object");
    refused("issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":0}," REPOSITORY "}",
            "issue_comment event: issue.number: expected a whole number from 1 to 2147483647");
    refused("issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":1}," REPOSITORY "}",
            "issue_comment event: comment: missing, expected an object");
    refused("issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":1},\"comment\":{\"body\":7}," REPOSITORY "}",
            "issue_comment event: comment: expected the text `body`");
}

static void test_repository(void)
{
    tap_case("repositories");
    refused("push", "{}", "push event: repository: missing, expected an object");
    refused("push", "{\"repository\":{\"full_name\":\"../etc\"}}",
            "push event: repository.full_name: expected owner/name, not `../etc`");
    refused("push", "{\"repository\":{\"full_name\":7}}",
            "push event: repository.full_name: expected a string");
    OK(name_is_repository("a/b", JOB_REPOSITORY_BYTES) && name_is_repository("A-1/.github_x.y", JOB_REPOSITORY_BYTES));
    static const char *const bad[] = {"",     "a",   "/b",    "a/",    "a/b/c", "../b", "a/..",
                                      "a/.",  "a b/c", "a/b\n", "a/ü", "a//b", "a/b?c"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(!name_is_repository(bad[i], JOB_REPOSITORY_BYTES));
    char name[200];
    memset(name, 'a', sizeof name);
    name[4] = '/';
    name[139] = '\0';
    OK(name_is_repository(name, JOB_REPOSITORY_BYTES));
    name[139] = 'a';
    name[140] = '\0';
    OK(!name_is_repository(name, JOB_REPOSITORY_BYTES));
}

static void test_dispatch(void)
{
    tap_case("started by hand");
    OK(parse("workflow_dispatch", dispatch) == 0);
    EQ_INT(event.pr, 12);
    EQ_INT(event.kind, JOB_CHECK);
    OK(parse("workflow_dispatch", "{\"inputs\":{\"pull-request\":13}," REPOSITORY "}") == 0);
    EQ_INT(event.pr, 13);
    OK(parse("workflow_dispatch", "{\"inputs\":{\"pull-request\":\"#14\"}," REPOSITORY "}") == 0);
    EQ_INT(event.pr, 14);
    static const char missing[] =
        "workflow_dispatch event: inputs.pull-request: missing: start the workflow with the "
        "input `pull-request`, the number of the pull request to measure, or "
        "with its `branch`, or with `sha`, its head";
    refused("workflow_dispatch", "{" REPOSITORY "}", missing);
    refused("workflow_dispatch", "{\"inputs\":null," REPOSITORY "}", missing);
    refused("workflow_dispatch", "{\"inputs\":{}," REPOSITORY "}", missing);
    refused("workflow_dispatch", "{\"inputs\":{\"pull-request\":null}," REPOSITORY "}", missing);
    static const char *const bad[] = {"0", "-1", "1 2", "12x", "##1", "99999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256], message[256];
        snprintf(text, sizeof text, "{\"inputs\":{\"pull-request\":\"%s\"},%s}", bad[i],
                 REPOSITORY);
        snprintf(message, sizeof message,
                 "workflow_dispatch event: inputs.pull-request: expected the number of a pull "
                 "request, not `%s`",
                 bad[i]);
        refused("workflow_dispatch", text, message);
    }
    refused("workflow_dispatch", "{\"inputs\":{\"pull-request\":[1]}," REPOSITORY "}",
            "workflow_dispatch event: inputs.pull-request: expected the number of a pull request");
    refused("workflow_dispatch", "{\"inputs\":{\"pull-request\":\"\",\"branch\":\"\",\"sha\":null}," REPOSITORY "}",
            missing);

    tap_case("by its branch, or its head");
    OK(parse("workflow_dispatch", "{\"inputs\":{\"pull-request\":\"\",\"branch\":\"topic/x\"}," REPOSITORY "}") == 0);
    EQ_INT(event.pr, 0);
    EQ_STR(event.branch, "topic/x");
    OK(parse("workflow_dispatch", "{\"inputs\":{\"sha\":\"" SHA "\"}," REPOSITORY "}") == 0);
    EQ_STR(event.head, SHA);
    EQ_STR(event.branch, "");
    refused("workflow_dispatch", "{\"inputs\":{\"sha\":\"0123\"}," REPOSITORY "}",
            "workflow_dispatch event: inputs.sha: expected 40 hex digits, not `0123`");
    refused("workflow_dispatch", "{\"inputs\":{\"branch\":7}," REPOSITORY "}",
            "workflow_dispatch event: inputs.branch: expected a string");
    refused("workflow_dispatch", "{\"inputs\":{\"branch\":\"x\",\"pull-request\":3}," REPOSITORY "}",
            "workflow_dispatch event: inputs: expected one of pull-request, branch and sha, not more");
    refused("workflow_dispatch", "{\"inputs\":[1]," REPOSITORY "}",
            "workflow_dispatch event: inputs: expected an object");
}

#define CHOSEN(inputs) "{\"inputs\":{\"pull-request\":\"7\"," inputs "}," REPOSITORY "}"

static void test_choices(void)
{
    static const char form[] =
        CHOSEN("\"configs\":\"\",\"budget\":\"\",\"profile\":\"false\",\"configs-of-mine\":[1]");
    static const char configs_wanted[] = "workflow_dispatch event: inputs.configs: expected names of configs, "
                                         "`*` and `?` for any letters, not ";
    tap_case("choices of a run started by hand");
    OK(parse("workflow_dispatch", form) == 0);
    OK(!choices_any(&event.choices));
    OK(parse("workflow_dispatch", CHOSEN("\"configs\":\" b1_*,,x-2.a  ?\",\"budget\":\"1.5m\",\"profile\":true")) == 0);
    EQ_STR(event.choices.configs, "b1_* x-2.a ?");
    EQ_INT(event.choices.budget_s, 90);
    OK(event.choices.profile && choices_partial(&event.choices));
    OK(parse("workflow_dispatch", CHOSEN("\"profile\":\"true\"")) == 0);
    OK(event.choices.profile && !choices_partial(&event.choices) && choices_any(&event.choices));
    static const char *const bad[] = {"a;b", "$(x)", "a/b", "[a]", "é", "`a`", "a|b", "{a}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256], message[256];
        snprintf(text, sizeof text, CHOSEN("\"configs\":\"ok %s\""), bad[i]);
        snprintf(message, sizeof message, "%s`%s`", configs_wanted, bad[i]);
        refused("workflow_dispatch", text, message);
    }
    refused("workflow_dispatch", CHOSEN("\"configs\":\" , \""),
            "workflow_dispatch event: inputs.configs: expected names of configs");
    static const char *const times[] = {"0s", "0.9s", "25h", "-1s", "1e9h", "nan", "10", "10m;", "90 s"};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[256], message[256];
        snprintf(text, sizeof text, CHOSEN("\"budget\":\"%s\""), times[i]);
        snprintf(message, sizeof message,
                 "workflow_dispatch event: inputs.budget: expected a time from 1s to 24h, such as `90s` or "
                 "`10m`, not `%s`", times[i]);
        refused("workflow_dispatch", text, message);
    }
    refused("workflow_dispatch", CHOSEN("\"profile\":\"yes\""),
            "workflow_dispatch event: inputs.profile: expected true or false");
    refused("workflow_dispatch", CHOSEN("\"profile\":1"),
            "workflow_dispatch event: inputs.profile: expected true or false");
    refused("workflow_dispatch", CHOSEN("\"configs\":[\"a\"]"),
            "workflow_dispatch event: inputs.configs: expected a string");
    char longest[CHOICES_TEXT_BYTES + 1], text[512];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    snprintf(text, sizeof text, CHOSEN("\"configs\":\"%s\""), longest);
    OK(parse("workflow_dispatch", text) == -1);
    tap_case("of no other event");
    OK(parse("pull_request", pull) == 0);
    OK(!choices_any(&event.choices));
}

static bool have(const char *configs, const char *name)
{
    struct choices choices = {0};
    snprintf(choices.configs, sizeof choices.configs, "%s", configs);
    return choices_have(&choices, name);
}

static void test_which_configs(void)
{
    tap_case("which configs are chosen");
    OK(have("", "anything"));
    OK(have("a b1_*", "a") && have("a b1_*", "b1_h4") && have("a b1_*", "b1_"));
    OK(!have("a b1_*", "ab") && !have("a b1_*", "b1") && !have("a b1_*", "xb1_h4"));
    OK(have("?b", "ab") && !have("?b", "b") && !have("?", "") && have("*", "x"));
    OK(have("*_d64", "b1_h4_d64") && have("b*_d*4", "b1_d32_d64") && !have("*_d64", "b1_d64x"));
    OK(!have("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

/* A push whose head commit has this message and modified file. */
static bool ignored_push(const char *message, const char *path)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"ref\":\"refs/heads/main\",\"after\":\"%s\",\"head_commit\":{\"message\":\"%s\","
             "\"added\":[],\"removed\":[],\"modified\":[\"%s\"]},%s}",
             SHA, message, path, REPOSITORY);
    OK(parse("push", text) == 0);
    return event.ignored;
}

static void test_push(void)
{
    tap_case("a push");
    OK(parse("push", push) == 0);
    EQ_INT(event.kind, JOB_PROMOTE);
    EQ_STR(event.ref, "refs/heads/main");
    EQ_STR(event.after, SHA);
    EQ_INT(event.pr, 0);
    OK(!event.ignored);
    OK(parse("push", "{\"ref\":\"refs/heads/main\",\"after\":\"" SHA
                     "\",\"head_commit\":null," REPOSITORY "}") == 0 && !event.ignored);

    tap_case("a push of no concern");
    OK(parse("push", "{\"ref\":\"refs/tags/v1\",\"after\":\"" SHA "\"," REPOSITORY "}") == 0);
    EQ_STR(event.why, "the push is not to a branch");
    OK(parse("push", "{\"ref\":\"refs/heads/x\",\"deleted\":true,\"after\":"
                     "\"0000000000000000000000000000000000000000\"," REPOSITORY "}") == 0);
    EQ_STR(event.why, "the push deleted a branch");
    EQ_STR(event.after, "");

    tap_case("our own promotion");
    static const char file[] = "baselines/cpu/baseline.json";
    OK(ignored_push("ratchet: promote [skip ci]\\n\\nwhy\\n\\nRatchet-Promotion: cpu", file));
    EQ_STR(event.why, "the push is a promotion of ours");
    OK(ignored_push("s\\r\\n\\r\\nRatchet-Promotion: cpu\\r\\nOther: x\\r\\n\\r\\n", file));
    OK(!ignored_push("s\\n\\nRatchet-Promotion: cpu\\n\\nmore text", file));
    OK(!ignored_push("s\\n\\nnot Ratchet-Promotion: cpu", file));
    /* A squash merge that quotes the trailer and changes the kernel. */
    OK(!ignored_push("s\\n\\nRatchet-Promotion: cpu", "kernels/a.c"));
    /* Actions gives no lists of files: the trailer alone hides nothing. */
    OK(parse("push", "{\"ref\":\"refs/heads/main\",\"after\":\"" SHA "\",\"head_commit\":{"
                     "\"message\":\"s\\n\\nRatchet-Promotion: cpu\"}," REPOSITORY "}") == 0);
    OK(!event.ignored);

    OK(parse("push", "{\"ref\":\"refs/heads/main\",\"after\":\"" SHA "\",\"commits\":["
                     "{\"message\":\"slower\",\"modified\":[\"kernels/a.c\"]},"
                     "{\"message\":\"s\\n\\nRatchet-Promotion: cpu\",\"modified\":[]}],"
                     "\"head_commit\":{\"message\":\"s\\n\\nRatchet-Promotion: cpu\","
                     "\"modified\":[]}," REPOSITORY "}") == 0);
    OK(!event.ignored); /* the last commit does not hide those before it */

    tap_case("a push that is not right");
    refused("push", "{\"after\":\"" SHA "\"," REPOSITORY "}",
            "push event: ref: missing, expected a string");
    refused("push", "{\"ref\":\"refs/heads/main\"," REPOSITORY "}",
            "push event: after: missing, expected a string");
    refused("push", "{\"ref\":\"refs/heads/main\",\"after\":\"HEAD\"," REPOSITORY "}",
            "push event: after: expected 40 hex digits, not `HEAD`");
    refused("push", "{\"ref\":\"refs/heads/main\",\"after\":\"" SHA "\",\"deleted\":1," REPOSITORY
            "}", "push event: deleted: expected true or false");
}

static void test_group(void)
{
    tap_case("a merge group");
    OK(parse("merge_group", group) == 0);
    EQ_STR(event.name, "merge_group");
    EQ_INT(event.kind, JOB_CHECK);
    EQ_INT(event.pr, 0);
    EQ_STR(event.ref, "refs/heads/gh-readonly-queue/main/pr-104-" SHA);
    EQ_STR(event.base_ref, "main");
    EQ_STR(event.head, OTHER_SHA);
    EQ_STR(event.base, SHA);
    OK(!event.ignored);
    OK(parse("merge_group", GROUP("destroyed", "refs/heads/gh-readonly-queue/main/pr-1-x",
                                  "refs/heads/main", SHA)) == 0);
    OK(event.ignored);
    OK(parse("merge_group", GROUP("checks_requested", "refs/heads/gh-readonly-queue/a/b/pr-1-x",
                                  "refs/heads/a/b", SHA)) == 0);
    EQ_STR(event.base_ref, "a/b");

    tap_case("merge groups that are not right");
    refused("merge_group", "{\"action\":\"checks_requested\"," REPOSITORY "}",
            "merge_group event: merge_group: missing, expected an object");
    refused("merge_group", GROUP("checked", "refs/heads/gh-readonly-queue/main/pr-1-x",
                                 "refs/heads/main", SHA),
            "merge_group event: action: `checked` is not handled; use the type checks_requested");
    static const char *const bad[] = {
        GROUP("checks_requested", "refs/heads/main", "refs/heads/main", SHA),
        GROUP("checks_requested", "refs/heads/gh-readonly-queue/main", "refs/heads/main", SHA),
        GROUP("checks_requested", "refs/heads/gh-readonly-queue/main/", "refs/heads/main", SHA),
        GROUP("checks_requested", "refs/heads/gh-readonly-queue/old/pr-1-x", "refs/heads/main", SHA),
        GROUP("checks_requested", "refs/heads/gh-readonly-queue/a/b/pr-1-x", "refs/heads/a", SHA),
        GROUP("checks_requested", "refs/heads/gh-readonly-queue/a/../pr-1-x", "refs/heads/a/..", SHA),
        GROUP("checks_requested", "refs/tags/gh-readonly-queue/main/pr-1-x", "refs/heads/main", SHA),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        OK(parse("merge_group", bad[i]) == -1);
        HAS(err.text, "merge_group event: merge_group.head_ref: expected a branch below");
    }
    refused("merge_group", GROUP("checks_requested", "refs/heads/gh-readonly-queue/main/pr-1-x",
                                 "refs/heads/main", "main"),
            "merge_group event: merge_group.base_sha: expected 40 hex digits, not `main`");
}

static void test_others(void)
{
    tap_case("payloads that are none");
    refused("issues", "{}",
            "event `issues` is not handled; expected pull_request, pull_request_target, "
            "issue_comment, merge_group, workflow_dispatch or push");
    OK(parse("pull_request", "") == -1);
    HAS(err.text, "pull_request event: line 1: not JSON");
    OK(parse("pull_request", "null") == -1);
    OK(parse("pull_request", "[]") == -1);
    OK(parse("pull_request", "{}") == -1);
    OK(event_parse("push", "{\"a\0b\":1}", 9, &event, &err) == -1);

    tap_case("a huge payload");
    size_t size = 3u << 20;
    char *text = malloc(size);
    if (text == NULL)
        return;
    int used = snprintf(text, size, "{%s,\"inputs\":{\"pull-request\":\"", REPOSITORY);
    memset(text + used, '7', size - (size_t)used);
    memcpy(text + size - 3, "\"}}", 3);
    OK(event_parse("workflow_dispatch", text, size, &event, &err) == -1);
    OK(strlen(err.text) < 300);
    memset(text, '[', size);
    OK(event_parse("workflow_dispatch", text, size, &event, &err) == -1);
    free(text);
}

static void test_mutations(void)
{
    tap_case("four thousand broken payloads");
    static const struct {
        const char *name, *text;
    } seeds[] = {{"pull_request", pull}, {"workflow_dispatch", dispatch}, {"push", push},
                 {"merge_group", group}};
    unsigned taken = 0, wrong = 0;
    for (unsigned i = 0; i < 4000; i++) {
        size_t seed = i % 4;
        char *text = malloc(4096); /* on the heap, so that reading past its end is seen */
        if (text == NULL)
            return;
        size_t len = strlen(seeds[seed].text);
        memcpy(text, seeds[seed].text, len);
        len = mutate(text, len, 4096);
        char *exact = malloc(len + (len == 0));
        if (exact != NULL) {
            memcpy(exact, text, len);
            struct event out = {0};
            if (event_parse(seeds[seed].name, exact, len, &out, &err) == 0) {
                taken++;
                wrong += !name_is_repository(out.repository, JOB_REPOSITORY_BYTES) ||
                         (out.kind == JOB_CHECK && out.pr < 1 && out.base_ref[0] == 0);
            } else {
                wrong += err.text[0] == '\0' || strstr(err.text, seeds[seed].name) == NULL;
            }
        }
        free(exact);
        free(text);
    }
    EQ_INT(wrong, 0);
    OK(taken > 100 && taken < 3900); /* both ends were reached */
}

int main(void)
{
    test_pull_request();
    test_comment();
    test_repository();
    test_dispatch();
    test_choices();
    test_which_configs();
    test_push();
    test_group();
    test_others();
    test_mutations();
    return tap_done();
}
