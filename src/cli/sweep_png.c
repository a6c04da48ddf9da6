/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which converters there are, and what each is told. */
#include "cli/sweep_png.h"

#include "base/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WALL_MS = 60000, OUTPUT_BYTES = 4096 };

enum kind { RSVG, INKSCAPE, CHROMIUM, KINDS };
static const char *const names[KINDS] = {"rsvg-convert", "inkscape", "chromium"};

void png_find(struct png_program *out, char said[PNG_SAID_BYTES])
{
    struct err err;
    said[0] = '\0';
    for (out->kind = 0; out->kind < KINDS; out->kind++)
        if (proc_find(names[out->kind], out->path, &err) == 0)
            return;
    snprintf(said, PNG_SAID_BYTES,
             "no PNG was made: none of rsvg-convert, inkscape and chromium is installed");
}

/* Its width and height, which a browser's window has to be told. */
static void window_of(const char *svg, char *out, size_t size)
{
    double width = 0, height = 0;
    struct err err;
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    if (file_read(svg, &text, &err) == 0) {
        const char *at = strstr(text.data, " width=\"");
        if (at == NULL || sscanf(at, " width=\"%lf\" height=\"%lf\"", &width, &height) != 2)
            width = height = 0;
    }
    snprintf(out, size, "--window-size=%.0f,%.0f", width > 0 ? width : 800,
             height > 0 ? height : 600);
}

static int run(const char *const *argv, struct proc_result *result, struct err *err)
{
    char path[FILE_PATH_BYTES];
    snprintf(path, sizeof path, "PATH=%s", getenv("PATH") == NULL ? "" : getenv("PATH"));
    const char *const envp[] = {path, "HOME=/tmp", NULL};
    const struct proc_spec spec = {.argv = argv,
                                   .envp = envp,
                                   .stdin_fd = -1,
                                   .uid = (uid_t)-1,
                                   .gid = (gid_t)-1,
                                   .limits = {.wall_ms = WALL_MS}};
    BUF_AUTO output;
    buf_init(&output, OUTPUT_BYTES);
    return proc_run(&spec, &output, result, err);
}

void png_convert(const struct png_program *program, const char *folder, const char *name,
                 char said[PNG_SAID_BYTES])
{
    char svg[FILE_PATH_BYTES], png[FILE_PATH_BYTES], shot[FILE_PATH_BYTES + 16], window[64],
        real[FILE_PATH_BYTES], url[FILE_PATH_BYTES + 8], how[128];
    struct err err = {0};
    struct proc_result result = {0};
    if (realpath(folder, real) == NULL || file_path(svg, &err, "%s/%s.svg", real, name) != 0 ||
        file_path(png, &err, "%s/%s.png", real, name) != 0)
        return;
    snprintf(shot, sizeof shot, "--screenshot=%s", png);
    snprintf(url, sizeof url, "file://%s", svg);
    window_of(svg, window, sizeof window);
    const char *const commands[KINDS][10] = {
        [RSVG] = {program->path, "-z", "2", "-o", png, svg, NULL},
        [INKSCAPE] = {program->path, svg, "--export-dpi=192", "-o", png, NULL},
        [CHROMIUM] = {program->path, "--headless", "--no-sandbox", "--disable-gpu",
                      "--hide-scrollbars", "--force-device-scale-factor=2", window, shot, url,
                      NULL}};
    if (run(commands[program->kind], &result, &err) != 0)
        snprintf(said, PNG_SAID_BYTES, "no PNG was made: %.200s", err.text);
    else if (result.end != PROC_EXITED || result.code != 0) {
        proc_describe(&result, how, sizeof how);
        snprintf(said, PNG_SAID_BYTES, "no PNG was made: %s: %s", names[program->kind], how);
    }
}
