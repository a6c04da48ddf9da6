/* SPDX-License-Identifier: Apache-2.0 */
/* env.json: both ways, its hash, broken and hostile input; and what two environments differ in. */
#include "tap.h"

#include "pipeline/environment.h"

#include <stdlib.h>
#include <string.h>

static const struct device device = {.slug = "nvidia-h200", .name = "NVIDIA H200"};

static void set(struct environment *environment, const char *name, const char *value)
{
    OK(environment_set(environment, name, value) == 0);
}

static struct environment some(void)
{
    struct environment environment = {0};
    set(&environment, "os", "Debian 12");
    set(&environment, "driver", "580.159.04");
    set(&environment, "seen_power", "87 to 315 W");
    set(&environment, "build", "nvcc -O3 \"-arch=$RATCHET_ARCH\"");
    return environment;
}

static void write(const struct environment *environment, struct buf *out)
{
    struct err err = {0};
    buf_init(out, ENVIRONMENT_MAX_BYTES);
    if (!OK(environment_write(&device, environment, out, &err) == 0))
        printf("# %s\n", err.text);
}

static int read(const char *text, struct environment_file *out, struct err *err)
{
    return environment_read(text, strlen(text), "env.json", out, err);
}

static void test_both_ways(void)
{
    struct environment environment = some();
    struct err err = {0};
    BUF_AUTO first, again, hashed;
    ENVIRONMENT_FILE_AUTO file = {.hash = ""};
    tap_case("there and back");
    write(&environment, &first);
    if (!OK(read(first.data, &file, &err) == 0))
        printf("# %s\n", err.text);
    EQ_STR(file.device.slug, "nvidia-h200");
    EQ_STR(file.device.name, "NVIDIA H200");
    EQ_INT(file.environment.count, 4);
    EQ_STR(environment_get(&file.environment, "build"), "nvcc -O3 \"-arch=$RATCHET_ARCH\"");
    write(&file.environment, &again);
    EQ_STR(again.data, first.data);

    tap_case("the hash is of the facts in the order of their names, without readings");
    buf_init(&hashed, 1 << 10);
    OK(environment_hashed(&environment, &hashed, &err) == 0);
    EQ_STR(hashed.data, "build=nvcc -O3 \"-arch=$RATCHET_ARCH\"\ndriver=580.159.04\nos=Debian 12\n");
    /* printf 'build=nvcc -O3 "-arch=$RATCHET_ARCH"\n…' | sha256sum */
    EQ_STR(file.hash, "sha256:d9f4d9a6ae01e8d3fff2bb6302f18fd7113cfb20c35a5c8f5980b144ad63fe2e");
    char before[MODEL_CODE_BYTES];
    memcpy(before, file.hash, sizeof before);
    environment_file_free(&file);
    set(&environment, "seen_power", "1 to 2 W");
    buf_free(&first);
    write(&environment, &first);
    OK(read(first.data, &file, &err) == 0);
    EQ_STR(file.hash, before);
    environment_file_free(&file);
    set(&environment, "driver", "581");
    buf_free(&first);
    write(&environment, &first);
    OK(read(first.data, &file, &err) == 0);
    OK(strcmp(file.hash, before) != 0);
    environment_free(&environment);

    tap_case("bytes that the file cannot hold are replaced, and the hash is of what it says");
    set(&environment, "cpu", "a\x1b[31m\xff");
    buf_free(&first);
    write(&environment, &first);
    environment_file_free(&file);
    OK(read(first.data, &file, &err) == 0);
    EQ_STR(environment_get(&file.environment, "cpu"), "a?[31m?");
    environment_free(&environment);
}

static void refused(const char *text, const char *part)
{
    struct environment_file file = {.hash = "untouched"};
    struct err err = {0};
    OK(read(text, &file, &err) == -1);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "env.json: ");
    HAS(err.text, part);
    OK(strchr(err.text, '\n') == NULL);
    EQ_STR(file.hash, "untouched");
}

#define FRONT "{\"schema\": \"ratchet.environment/1\", \"device\": {\"slug\": \"cpu\"}, "

static void test_hostile(void)
{
    tap_case("what is wrong is told, and where");
    refused("", "");
    refused("[]", "object");
    refused("{\"schema\": \"ratchet.samples/1\"}", "schema: `ratchet.samples/1` is not known");
    refused("{\"schema\": \"ratchet.environment/1\"}", "device");
    refused(FRONT "\"hash\": \"sha256:0\"}", "environment: is missing");
    refused(FRONT "\"environment\": {}}", "hash");
    refused(FRONT "\"hash\": \"-\", \"environment\": []}", "environment");
    refused(FRONT "\"hash\": \"-\", \"environment\": {\"os\": 7}}", "environment.os");
    refused(FRONT "\"hash\": \"-\", \"environment\": {\"os\": \"a\\u001b\"}}",
            "environment.os: expected a string");
    refused(FRONT "\"hash\": \"-\", \"environment\": {\"os\": \"a\", \"os\": \"b\"}}", "duplicate");
    refused(FRONT "\"hash\": \"-\", \"environment\": {\"os\": \"Debian\"}}",
            "hash: expected `sha256:");

    tap_case("too large");
    struct environment_file file = {.hash = ""};
    struct err err = {0};
    char *text = malloc(ENVIRONMENT_MAX_BYTES + 2);
    memset(text, ' ', ENVIRONMENT_MAX_BYTES + 1);
    text[ENVIRONMENT_MAX_BYTES + 1] = '\0';
    OK(read(text, &file, &err) == -1);
    HAS(err.text, "env.json: 1048577 bytes, expected at most 1048576");
    free(text);
    struct environment many = {0};
    for (int i = 0; i < 257; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        set(&many, name, "x");
    }
    BUF_AUTO out;
    buf_init(&out, ENVIRONMENT_MAX_BYTES);
    OK(environment_write(&device, &many, &out, &err) == -1); /* nobody could read it */
    HAS(err.text, "at most 256");
    EQ_INT(out.len, 0);
    environment_free(&many);
}

static void compare(const struct environment *then, const struct environment *now,
                    size_t differ, size_t matter, const char *lines)
{
    BUF_AUTO out;
    buf_init(&out, 1 << 16);
    struct environment_count count = environment_compare(then, now, &out);
    EQ_INT(count.differ, differ);
    EQ_INT(count.matter, matter);
    EQ_STR(out.data, lines);
}

static void test_differences(void)
{
    struct environment then = some(), now = some();
    tap_case("a line for each fact that differs");
    set(&now, "seen_power", "1 W");
    compare(&then, &now, 0, 0, "");
    set(&now, "os", "Debian 13");
    compare(&then, &now, 1, 0, "harmless  os: Debian 12 -> Debian 13\n");
    set(&now, "driver", "581");
    compare(&then, &now, 2, 1,
            "harmless  os: Debian 12 -> Debian 13\nmatters   driver: 580.159.04 -> 581\n");

    tap_case("told on one side alone");
    set(&now, "os", "Debian 12");
    set(&now, "driver", "580.159.04");
    set(&now, "mig", "off");
    set(&then, "governor", "powersave");
    compare(&then, &now, 2, 2,
            "matters   mig: (not told) -> off\nmatters   governor: powersave -> (not told)\n");

    tap_case("of frameworks nobody asked on one side");
    environment_free(&then);
    environment_free(&now);
    set(&now, "peer_torch", "2.11.0");
    compare(&then, &now, 1, 0, "harmless  peer_torch: (not told) -> 2.11.0\n");
    set(&then, "peer_torch", "not installed");
    compare(&then, &now, 1, 1, "matters   peer_torch: not installed -> 2.11.0\n");

    tap_case("nothing that a terminal would obey");
    set(&then, "peer_torch", "2.11.0");
    set(&then, "x\xc2\x9b", "\xc2\x9b" "31m");
    compare(&then, &now, 1, 1, "matters   x?: ?31m -> (not told)\n");
    environment_free(&then);
    environment_free(&now);
}

static void test_matters(void)
{
    static const char *const yes[] = {
        "driver", "cuda", "gpu", "gpu_id", "ecc", "mig", "power_limit", "max_sm_clock",
        "application_sm_clock", "clock_policy", "compiler", "build", "kernel", "cpu", "cores",
        "threads", "governor", "inputs", "sandbox", "sample_target", "nobody_knows"};
    static const char *const no[] = {"os", "build_output", "persistence", "gpu_memory",
                                     "arm_head"};
    tap_case("which facts matter for time; what is not known does");
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        OK(environment_matters(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        OK(!environment_matters(no[i]));
}

int main(void)
{
    test_both_ways();
    test_hostile();
    test_differences();
    test_matters();
    return tap_done();
}
