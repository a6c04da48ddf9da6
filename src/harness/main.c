/* SPDX-License-Identifier: Apache-2.0 */
/* ratchet-bench: loads kernel libraries and times and verifies them, as its parent says over
 * the protocol of wire.h. Installed with the service, never built from a pull request. It
 * holds no secret and trusts nothing it loads. */
#include "base/line.h"
#include "base/program.h"
#include "harness/commands.h"
#include "harness/device.h"
#include "harness/voice.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const struct device_ops *const devices[] = {&device_cpu, &device_cuda};

static const struct device_ops *find_device(const char *name)
{
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (strcmp(devices[i]->name, name) == 0)
            return devices[i];
    return NULL;
}

static int serve(const struct device_ops *ops, struct err *err)
{
    struct harness *harness;
    if (harness_open(ops, &harness, err) != 0)
        return -1;
    voice_say("ratchet-bench %d %s", WIRE_VERSION, ops->name);
    voice_flush();
    char line[WIRE_LINE_BYTES];
    int heard;
    while ((heard = voice_hear(line, err)) == 1)
        if (!harness_obey(harness, line))
            break;
    harness_close(harness);
    return heard < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const char usage[] =
        "usage: ratchet-bench DEVICE, run by ratchet; DEVICE is cpu or cuda\n";
    struct err err = {0};
    program_begin();
    enum program_asked asked = program_asked(argc, argv);
    if (asked != PROGRAM_RUN)
        return program_answer("ratchet-bench", asked, usage);
    const struct device_ops *ops = argc == 2 ? find_device(argv[1]) : NULL;
    if (ops == NULL) {
        line_text(stderr, usage, strlen(usage));
        return EXIT_USAGE;
    }
    const struct rlimit none = {0, 0}; /* a crash of a kernel leaves no core file */
    setrlimit(RLIMIT_CORE, &none);
    if (voice_open(&err) != 0 || serve(ops, &err) != 0) {
        line_err("ratchet-bench: %s", err.text);
        return (int)err_exit_code(err.class);
    }
    return EXIT_HELD;
}
