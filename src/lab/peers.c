/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question what of other people's frameworks is installed, and with which settings their
 * kernels would run. A peer runs in the harness with nothing of our environment, so Python is
 * asked with nothing of it either, but where to find packages. */
#include "lab/peers.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PYTHON_MS = 120000, SAID_BYTES = 64 << 10, VALUE_BYTES = 256, HOME_BYTES = 1024 };

/* Lines `fact NAME VALUE`; whatever else is printed is somebody's warning. */
static const char script[] =
    "import importlib.metadata as meta, sys\n"
    "sys.path = [p for p in sys.path if p]\n"
    "def tell(name, value):\n"
    "    value = ' '.join(str(value).split())\n"
    "    print('\\nfact peer_%s %s' % (name, value), flush=True)\n"
    "def version(name):\n"
    "    try: return meta.version(name)\n"
    "    except meta.PackageNotFoundError: return 'not installed'\n"
    "for name in ('flash_attn', 'xformers', 'triton'): tell(name, version(name))\n"
    "there = version('torch')\n"
    "if there == 'not installed': tell('torch', there); sys.exit()\n"
    "try: import torch\n"
    "except Exception as e: tell('torch', '%s, does not load: %s' % (there, e)); sys.exit()\n"
    "tell('torch', there)\n"
    "on = lambda flag: 'on' if flag else 'off'\n"
    "b = torch.backends\n"
    "tell('torch_cuda', torch.version.cuda)\n"
    "tell('torch_cudnn', b.cudnn.version())\n"
    "tell('torch_tf32', 'matmul %s, cudnn %s, precision %s' % (on(b.cuda.matmul.allow_tf32),\n"
    "    on(b.cudnn.allow_tf32), torch.get_float32_matmul_precision()))\n"
    "tell('torch_deterministic', 'algorithms %s, cudnn %s, cudnn benchmark %s' % (\n"
    "    on(torch.are_deterministic_algorithms_enabled()), on(b.cudnn.deterministic),\n"
    "    on(b.cudnn.benchmark)))\n";

static const char *const packages[] = {"peer_torch", "peer_flash_attn", "peer_xformers",
                                       "peer_triton"};

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_HOST, "out of memory for the environment");
}

/* `line`: "peer_torch 2.11.0+cu130", up to its end. */
static int add_fact(const char *line, struct environment *environment, struct err *err)
{
    char name[64], value[VALUE_BYTES];
    size_t name_len = strcspn(line, " \n"), len = strcspn(line, "\n");
    if (name_len >= sizeof name || line[name_len] != ' ')
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)name_len, line);
    snprintf(value, sizeof value, "%.*s", (int)(len - name_len - 1), line + name_len + 1);
    scan_line(value);
    return environment_set(environment, name, value) == 0 ? 0 : out_of_memory(err);
}

static int add_facts(const char *said, struct environment *environment, struct err *err)
{
    static const char front[] = "fact peer_";
    for (const char *line = said; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, front, strlen(front)) == 0 &&
            add_fact(line + strlen("fact "), environment, err) != 0)
            return -1;
    }
    return 0;
}

/* Of packages that nothing was said of: why. */
static int add_unknown(const char *why, struct environment *environment, struct err *err)
{
    char value[VALUE_BYTES];
    snprintf(value, sizeof value, "not known: %.200s", why);
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++)
        if (environment_get(environment, packages[i]) == NULL &&
            environment_set(environment, packages[i], value) != 0)
            return out_of_memory(err);
    return 0;
}

/* Python's folder is `/`: one of ours could hold a module by the name of one that is wanted. */
static int find_python(const char *given, char out[FILE_PATH_BYTES], struct err *err)
{
    char folder[FILE_PATH_BYTES];
    if (given[0] == '/' || strchr(given, '/') == NULL || getcwd(folder, sizeof folder) == NULL)
        return file_path(out, err, "%s", given);
    return file_path(out, err, "%s/%s", folder, given);
}

int peers_facts(const char *python, struct environment *environment, struct err *err)
{
    char home[HOME_BYTES], ended[64], program[FILE_PATH_BYTES];
    const char *folder = getenv("HOME");
    const char *const argv[] = {program, "-E", "-c", script, NULL};
    const char *const envp[] = {home, "PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    const struct proc_spec spec = {.argv = argv,
                                   .envp = envp,
                                   .stdin_fd = -1,
                                   .uid = (uid_t)-1,
                                   .limits = {.wall_ms = PYTHON_MS}};
    struct proc_result result;
    struct err problem = {0};
    BUF_AUTO said;
    buf_init(&said, SAID_BYTES);
    snprintf(home, sizeof home, "HOME=%s", folder == NULL ? "/" : folder);
    if (find_python(python, program, &problem) != 0 ||
        proc_run(&spec, &said, &result, &problem) != 0)
        return add_unknown(problem.text, environment, err);
    if (add_facts(said.data, environment, err) != 0)
        return -1;
    proc_describe(&result, ended, sizeof ended);
    return add_unknown(ended, environment, err);
}
