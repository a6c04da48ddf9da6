/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of an Actions event. The first line is the event's name. */
#include "tests/fuzz/fuzz.h"

#include "base/name.h"
#include "intake/choices.h"
#include "intake/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];
    fuzz_first_line(&data, &size, name, sizeof name);
    struct event event = {.pr = 77};
    struct err err = {0};
    if (event_parse(name, (const char *)data, size, &event, &err) != 0) {
        fuzz_error(&err);
        HOLDS(event.pr == 77); /* untouched */
        return 0;
    }
    HOLDS(strcmp(event.name, name) == 0);
    HOLDS(name_is_repository(event.repository, sizeof event.repository));
    HOLDS(event.ignored == (event.why[0] != '\0'));
    HOLDS(event.head[0] == '\0' || name_is_sha(event.head));
    HOLDS(fuzz_is_plain(event.branch) && fuzz_is_plain(event.ref) && fuzz_is_plain(event.why));
    HOLDS(fuzz_is_plain(event.commenter) && event.by_comment == (strcmp(name, "issue_comment") == 0 && !event.ignored));
    HOLDS(fuzz_is_plain(event.choices.configs) && event.choices.budget_s <= 86400 &&
          event.choices.refused[0] == '\0');
    HOLDS(strpbrk(event.choices.configs, "\"'`$;|&<>/\\[]{}()") == NULL);
    HOLDS(choices_any(&event.choices) ? strcmp(name, "workflow_dispatch") == 0 : true);
    (void)choices_have(&event.choices, "b1_h4_s256_d64");
    if (event.kind == JOB_CHECK)
        HOLDS(event.pr > 0 || event.branch[0] != '\0' || event.head[0] != '\0' || event.ignored);
    else
        HOLDS(event.pr == 0 && event.ref[0] != '\0' &&
              (event.ignored ||
               (name_is_sha(event.after) && strncmp(event.ref, "refs/heads/", 11) == 0)));
    return 0;
}
