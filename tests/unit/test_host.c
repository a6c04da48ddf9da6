/* SPDX-License-Identifier: Apache-2.0 */
/* ratchetd.conf: defaults, addresses, users, limits, tokens. */
#include "intake/host.h"

#include "tests/tap.h"
#include "tests/unit/mutate.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "ratchetd.conf"

static const char whole[] =
    "[daemon]\nstate = /srv/state\nsocket = /run/r.sock\nlock-dir = /run/locks\n"
    "harness = /opt/ratchet-bench\nsandbox-user = nobody\nallow-user = root\n"
    "allow-user = daemon\nidle-command = systemctl suspend\nidle-after = 20m\n"
    "[device \"cpu\"]\nthreads = 2\ncpus = 0-2,8\n"
    "[device \"nvidia-l4\"]\n"
    "[device \"nvidia-h200\"]\ngpu = GPU-1234\nclock-lock = 1410MHz\n"
    "price-per-hour = 3.99 USD\n"
    "[repository \"Acme/Kernels\"]\napi = https://api.github.com\n"
    "git = https://github.com/Acme/Kernels.git\n"
    "[repository \"acme/other\"]\napi = http://127.0.0.1:8080/api/v3\ngit = /srv/git/o.git\n"
    "web = https://ghe.example/acme/other\nauthor = ratchet[bot]\nbranch = trunk\n"
    "token = host\ntoken-file = /etc/ratchet/token\n"
    "submodule = third_party/cutlass  https://github.com/NVIDIA/cutlass.git\n"
    "submodule = lib/a b /srv/git/ab.git\n"
    "[limits]\nbuild-timeout-ms = 1000\nlog-bytes = 64k\n";

static struct host host;
static struct err err;

static int parse(const char *text)
{
    host = (struct host){.device_count = 77};
    err = (struct err){0};
    return host_parse(text, strlen(text), NAME, &host, &err);
}

static void refused(const char *text, const char *message)
{
    OK(parse(text) == -1);
    EQ_STR(err.text, message);
    EQ_INT(err.class, ERR_INPUT);
    EQ_INT(host.device_count, 77); /* untouched */
}

static void test_whole(void)
{
    tap_case("every key");
    OK(parse(whole) == 0);
    EQ_STR(err.text, "");
    EQ_STR(host.state, "/srv/state");
    EQ_STR(host.socket, "/run/r.sock");
    EQ_STR(host.lock_dir, "/run/locks");
    EQ_STR(host.harness, "/opt/ratchet-bench");
    EQ_STR(host.idle_command, "systemctl suspend");
    EQ_INT(host.idle_after_s, 1200);
    EQ_INT(host.allowed_count, 2);
    EQ_INT(host.allowed[0], 0);
    EQ_INT(host.device_count, 3);
    const struct host_device *cpu = host_find_device(&host, "cpu");
    OK(cpu != NULL && cpu->threads == 2 && cpu->lanes[0].cpu_count == 4 && cpu->lanes[0].cpus[3] == 8);
    const struct host_device *plain = host_find_device(&host, "nvidia-l4");
    OK(plain != NULL); /* a section without a key counts */
    OK(plain != NULL && plain->lane_count == 1 && plain->lanes[0].gpu[0] == '\0' && plain->clock_lock_mhz == 0);
    const struct host_device *gpu = host_find_device(&host, "nvidia-h200");
    OK(gpu != NULL && strcmp(gpu->lanes[0].gpu, "GPU-1234") == 0 && gpu->clock_lock_mhz == 1410);
    EQ_INT(gpu->price.micro, 3990000);
    EQ_STR(gpu->price.currency, "USD");
    EQ_STR(plain->price.currency, ""); /* never a price that nobody wrote */
    OK(host_find_device(&host, "nvidia-h100") == NULL);
    const struct host_repository *first = host_find_repository(&host, "acme/kernels");
    OK(first != NULL && strcmp(first->name, "Acme/Kernels") == 0);
    EQ_STR(first->web, "https://github.com/Acme/Kernels");
    EQ_STR(first->author, "github-actions[bot]");
    EQ_STR(first->branch, "main");
    EQ_INT(first->credential, CREDENTIAL_JOB);
    const struct host_repository *second = host_find_repository(&host, "acme/other");
    OK(second != NULL && second->credential == CREDENTIAL_HOST && strcmp(second->branch, "trunk") == 0);
    EQ_STR(second->git, "/srv/git/o.git");
    EQ_INT(first->submodule_count, 0);
    EQ_INT(second->submodule_count, 2);
    EQ_STR(second->submodules[0].path, "third_party/cutlass");
    EQ_STR(second->submodules[0].git, "https://github.com/NVIDIA/cutlass.git");
    EQ_STR(second->submodules[1].path, "lib/a b");
    EQ_STR(second->submodules[1].git, "/srv/git/ab.git");
    OK(host_find_repository(&host, "acme/kernel") == NULL);
    EQ_INT(host.limits.build_ms, 1000);
    EQ_INT(host.limits.log_bytes, 65536);
    EQ_INT(host.limits.clients, limits_default().clients);

    tap_case("an empty file");
    OK(parse("") == 0);
    EQ_INT(host.device_count, 1);
    EQ_STR(host.devices[0].slug, "cpu");
    EQ_STR(host.state, "/var/lib/ratchet");
    EQ_STR(host.lock_dir, host_lock_dir("/run/ratchet"));
    EQ_INT(host.repository_count, 0);
}

static void test_lock_dir(void)
{
    tap_case("the folder of locks: its own where that is, else the one that all hosts have");
    EQ_STR(host_lock_dir("/tmp"), "/tmp");
    EQ_STR(host_lock_dir("/nowhere"), "/run/lock");
    EQ_STR(host_lock_dir("/dev/null"), "/run/lock");
    EQ_STR(host_run_socket(&host, "/dev/null"), "");
    EQ_STR(host_run_socket(&host, "/nowhere"), "");
    OK(parse("[daemon]\nlock-dir = /nowhere\n") == 0);
    EQ_STR(host.lock_dir, "/nowhere"); /* never replaced */
}

static void test_default(void)
{
    tap_case("built-in values");
    setenv("XDG_STATE_HOME", "/home/a/state", 1);
    OK(host_default(&host, &err) == 0);
    EQ_STR(host.state, "/home/a/state/ratchet");
    EQ_STR(host.harness, "");
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", "/home/b", 1);
    OK(host_default(&host, &err) == 0);
    if (geteuid() == 0) { /* whose home nobody else can pass through */
        EQ_STR(host.state, "/var/lib/ratchet");
    } else {
        EQ_STR(host.state, "/home/b/.local/state/ratchet");
        unsetenv("HOME");
        OK(host_default(&host, &err) == -1);
        EQ_INT(err.class, ERR_HOST);
    }
    unsetenv("HOME");
    OK(parse("") == 0); /* a file does without HOME, as systemd does */
    struct passwd *nobody = getpwnam("nobody");
    OK(host.sandbox_uid == (geteuid() == 0 && nobody != NULL ? nobody->pw_uid : (uid_t)-1));
}

static void test_prices(void)
{
    static const struct {
        const char *text, *currency;
        unsigned long long micro;
    } good[] = {{"0.70 USD", "USD", 700000},    {"0.1 EUR", "EUR", 100000},
                {"0 EUR", "EUR", 0},            {"0.000001  x", "x", 1},
                {"4.350001 USD", "USD", 4350001}, {"90000 VND", "VND", 90000000000},
                {"10000000 Credits", "Credits", 10000000000000}};
    static const char *const bad[] = {
        "0.70", "USD", "USD 0.70", "-1 USD", "+1 USD", "nan USD", "inf USD", "1e3 USD", "0x1 USD",
        "1,5 EUR", ".5 USD", "1. USD", "1.2.3 USD", "0.0000001 USD", "10000000.000001 USD",
        "10000001 USD", "99999999999999999999 USD", "1 Creditsss", "1 U5D", "1 US-D", "1 USD EUR",
        "1 \xe2\x82\xac", "1USD", ""};
    char text[128];
    tap_case("prices, to the millionth");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "[device \"cpu\"]\nprice-per-hour = \"%s\"\n", good[i].text);
        OK(parse(text) == 0);
        EQ_INT(host.devices[0].price.micro, good[i].micro);
        EQ_STR(host.devices[0].price.currency, good[i].currency);
    }
    tap_case("what is no price");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "[device \"cpu\"]\nprice-per-hour = \"%s\"\n", bad[i]);
        OK(parse(text) == -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, NAME ": device.cpu.price-per-hour: expected a price of up to 10000000");
    }
    refused("[device \"cpu\"]\nprice-per-hour = -0.70 USD\n",
            NAME ": device.cpu.price-per-hour: expected a price of up to 10000000 and a currency of 1 "
                 "to 8 letters, such as 0.70 USD, not `-0.70 USD`");
}

static void url_refused(const char *key, const char *value, const char *problem)
{
    char text[1024];
    const char *good = strcmp(key, "api") == 0 ? "git = /x" : "api = https://a.example";
    snprintf(text, sizeof text, "[repository \"a/b\"]\n%s\n%s = \"%s\"\n", good, key, value);
    OK(parse(text) == -1);
    HAS(err.text, problem);
    char where[64];
    snprintf(where, sizeof where, NAME ": repository.a/b.%s: ", key);
    HAS(err.text, where);
}

static void test_addresses(void)
{
    tap_case("addresses that are right");
    static const char *const good[] = {
        "https://api.github.com", "https://ghe.example:8443/api/v3", "http://127.0.0.1:80",
        "http://localhost:4010", "http://[::1]:4010/x", "https://[2001:db8::1]/api"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "[repository \"a/b\"]\napi = %s\ngit = %s\n", good[i],
                 good[i]);
        OK(parse(text) == 0);
        EQ_STR(err.text, "");
    }
    OK(parse("[repository \"a/b\"]\napi = https://x\ngit = file:///srv/x.git\n") == 0);
    EQ_STR(host.repositories[0].web, "");

    tap_case("addresses that are not");
    static const char *const keys[] = {"api", "git"};
    for (size_t i = 0; i < 2; i++) {
        url_refused(keys[i], "http://api.github.com", "http is for 127.0.0.1");
        url_refused(keys[i], "http://127.0.0.1.evil.example", "http is for 127.0.0.1");
        url_refused(keys[i], "http://localhost.evil", "http is for 127.0.0.1");
        url_refused(keys[i], "https://x.example/", "without a slash at its end");
        url_refused(keys[i], "https://u:secret@x.example", "without a user or password");
        OK(strstr(err.text, "secret") == NULL);
        url_refused(keys[i], "https://x.example/?a=b", "a plain address");
        url_refused(keys[i], "https://x.example#a", "a plain address");
        url_refused(keys[i], "https://x.example/a/../b", "a plain address");
        url_refused(keys[i], "https://x\\n.example", "without control characters");
        url_refused(keys[i], "https://", "an address without a slash");
        url_refused(keys[i], "https://x:0", "a host name");
        url_refused(keys[i], "https://x:99999", "a host name");
        url_refused(keys[i], "https://x:", "a host name");
        url_refused(keys[i], "https://[::1", "a host name");
        url_refused(keys[i], "https://[::1]x", "a host name");
        url_refused(keys[i], "https://ex_ample", "a host name");
    }
    url_refused("api", "ftp://x.example", "starts with https://");
    url_refused("api", "/srv/x", "starts with https://");
    url_refused("git", "ssh://git@x.example/a", "starts with https://");
    url_refused("git", "git@github.com:a/b.git", "file:///");
    url_refused("git", "relative/path", "file:///");
    url_refused("git", "/srv/../etc", "an absolute path");
    url_refused("git", "file://host/x", "an absolute path");
}

#define SUBMODULE "[repository \"a/b\"]\napi = https://x\ngit = /x\nsubmodule = "

static void test_submodules(void)
{
    tap_case("where submodules come from");
    static const char *const shapes[] = {"third_party",          "https://x.example/y.git",
                                         "/abs https://x.example", "a/../b https://x.example",
                                         "./a https://x.example",  "a/ https://x.example",
                                         "a//b https://x.example", ".. https://x.example"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char text[256];
        snprintf(text, sizeof text, SUBMODULE "%s\n", shapes[i]);
        OK(parse(text) == -1);
        HAS(err.text, NAME ": repository.a/b.submodule: expected a path in the tree");
    }
    refused(SUBMODULE "a http://x.example/a.git\n",
            NAME ": repository.a/b.submodule: http is for 127.0.0.1, localhost and [::1] only; "
                 "expected https://, not `http://x.example/a.git`");
    refused(SUBMODULE "a https://u:secret@x.example\n",
            NAME ": repository.a/b.submodule: expected an address without a user or password "
                 "in it");
    refused(SUBMODULE "a ../b\n", NAME ": repository.a/b.submodule: expected https://…, "
                                       "file:///… or an absolute path, not `../b`");
    refused(SUBMODULE "a /x\nsubmodule = a /y\n",
            NAME ": repository.a/b.submodule: `a` stands twice");
    OK(parse(SUBMODULE "1 /x\nsubmodule = 2 /x\nsubmodule = 3 /x\nsubmodule = 4 /x\n"
             "submodule = 5 /x\nsubmodule = 6 /x\nsubmodule = 7 /x\nsubmodule = 8 /x\n") ==
       0);
    OK(parse(SUBMODULE "1 /x\nsubmodule = 2 /x\nsubmodule = 3 /x\nsubmodule = 4 /x\n"
             "submodule = 5 /x\nsubmodule = 6 /x\nsubmodule = 7 /x\nsubmodule = 8 /x\n"
             "submodule = 9 /x\n") == -1);
    HAS(err.text, "more than 8 submodules");
}

static void test_refusals(void)
{
    tap_case("unknown, repeated and missing");
    refused("[demon]\n",
            NAME ": unknown section `demon`; allowed: daemon, device, repository, limits; did you "
                 "mean `daemon`?");
    refused("[daemon]\nstat = /x\n", NAME ": daemon.stat: unknown key; allowed in [daemon]: "
                                          "state, socket, lock-dir, harness, sandbox-user, "
                                          "run-socket, clocks-socket, allow-user, idle-command, idle-after; did you mean "
                                          "`state`?");
    refused("[daemon]\nidle-after = 0s\n",
            NAME ": daemon.idle-after: expected a time with its unit (ns, us, ms, s, m, h) between "
                 "1s and 168h, not `0s`");
    refused("[daemon]\nstate = /x\nstate = /y\n",
            NAME ": daemon.state: stands twice, expected once");
    refused("[repository \"a/b\"]\n", NAME ": repository.a/b.api: missing");
    refused("[repository \"a/b\"]\napi = https://x\n", NAME ": repository.a/b.git: missing");
    refused("[repository \"ab\"]\n", NAME ": [repository \"ab\"]: expected owner/name");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\n[repository \"A/B\"]\ngit = /y\n",
            NAME ": repository.A/B.git: stands twice, expected once");
    refused("[device \"nvidia-L4\"]\ngpu = 0\n",
            NAME ": [device \"nvidia-L4\"]: expected cpu, or a GPU's name in small letters, such as nvidia-l4");
    refused("[device \"tesla\"]\ngpu = 0\n",
            NAME ": [device \"tesla\"]: expected cpu, or a GPU's name in small letters, such as nvidia-l4");
    refused("[device \"a b\"]\nthreads = 1\n",
            NAME ": [device \"a b\"]: expected cpu, or a GPU's name in small letters, such as nvidia-l4");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\ntoken = host\n",
            NAME ": repository.a/b.token-file: missing, and `token = host` needs it");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\ntoken-file = /t\n",
            NAME ": repository.a/b.token-file: is of no use without `token = host`");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\ntoken = app\napp = 1\n",
            NAME ": repository.a/b.app-key: missing, and `token = app` needs it");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\ntoken = app\napp-key = /k\n",
            NAME ": repository.a/b.app: missing, and `token = app` needs it");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\nwatch = true\n",
            NAME ": repository.a/b.watch: needs `token = host` or `token = app`: a job's token comes "
                 "with a job");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\nwatch-device = cpu\n",
            NAME ": repository.a/b.watch-device: is of no use without `watch = true`");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\ntoken = host\ntoken-file = /t\nwatch = true\n"
            "watch-device = nvidia-l4\n",
            NAME ": repository.a/b.watch-device: this host has no `[device \"nvidia-l4\"]`");
    refused("[repository \"a/b\"]\napi = https://x\ngit = /x\ntoken = host\ntoken-file = /t\n"
            "app = 1\n",
            NAME ": repository.a/b.app: is of no use without `token = app`");
    refused("[repository \"a/b\"]\ntoken = both\n",
            NAME ": repository.a/b.token: expected `job`, `host` or `app`, not `both`");
    refused("[repository \"a/b\"]\nbranch = refs/heads/main\n",
            NAME ": repository.a/b.branch: expected the name of a branch, not `refs/heads/main`");

    tap_case("lanes");
    OK(parse("[device \"cpu\"]\ncpus = 0-1\ncpus = 4,6\n") == 0);
    const struct host_device *device = &host.devices[0];
    EQ_INT(device->lane_count, 2);
    EQ_STR(device->lanes[0].name, "0");
    EQ_STR(device->lanes[1].name, "4");
    OK(device->lanes[1].cpu_count == 2 && device->lanes[1].cpus[1] == 6);
    OK(host_find_lane(device, "4") == &device->lanes[1]);
    OK(host_find_lane(device, "") == &device->lanes[0]);
    OK(host_find_lane(device, "1") == NULL);
    OK(parse("[device \"nvidia-l4\"]\ngpu = 0\ncpus = 0-3\ngpu = GPU-7\ncpus = 8-9\n") == 0);
    EQ_INT(device->lane_count, 2);
    EQ_STR(device->lanes[1].name, "GPU-7");
    EQ_INT(device->lanes[1].cpus[0], 8);
    OK(parse("[device \"nvidia-l4\"]\ngpu = 1\n") == 0 && device->lane_count == 1);
    EQ_STR(device->lanes[0].name, ""); /* one that was started on the only lane may go on on any */
    EQ_STR(device->lanes[0].gpu, "1");
    refused("[device \"nvidia-l4\"]\ngpu = 0\ngpu = 0\n",
            NAME ": device.nvidia-l4.gpu: `0` stands twice");
    refused("[device \"nvidia-l4\"]\ngpu = 0\ngpu = 1\ncpus = 0\n",
            NAME ": device.nvidia-l4.cpus: expected none, or one for each of 2 GPUs, not 1");
    refused("[device \"cpu\"]\ngpu = 0\n", NAME ": device.cpu.gpu: `cpu` is no GPU");
    refused("[device \"cpu\"]\ncpus = 0,1\ncpus = 2\n",
            NAME ": device.cpu.cpus: expected as many processors in each lane, not 2 and 1");
    refused("[device \"cpu\"]\nthreads = 2\ncpus = 0\ncpus = 1\n",
            NAME ": device.cpu.threads: 2 are more than the 1 processors of cpus");
    refused("[device \"cpu\"]\ncpus = 0-2\ncpus = 2-4\n",
            NAME ": device.cpu.cpus: processor 2 is another lane's");
    refused("[device \"cpu\"]\ncpus = 0\n[device \"nvidia-l4\"]\ncpus = 0\n",
            NAME ": device.nvidia-l4.cpus: processor 0 is another lane's");
    OK(parse("[device \"cpu\"]\ncpus = 0\ncpus = 1\ncpus = 2\ncpus = 3\ncpus = 4\ncpus = 5\n"
             "cpus = 6\ncpus = 7\ncpus = 8\n") == -1);
    HAS(err.text, "more than 8 of a device");
    tap_case("values");
    refused("[daemon]\nstate = var\n",
            NAME ": daemon.state: expected an absolute path without `..` of at most 255 bytes, "
                 "not `var`");
    refused("[daemon]\nstate = /a/../b\n",
            NAME ": daemon.state: expected an absolute path without `..` of at most 255 bytes, "
                 "not `/a/../b`");
    refused("[daemon]\nallow-user = no-such-user-here\n",
            NAME ": daemon.allow-user: there is no user `no-such-user-here` on this host");
    refused("[device \"cpu\"]\nthreads = 0\n",
            NAME ": device.cpu.threads: expected a whole number from 1 to 1024, not `0`");
    refused("[device \"cpu\"]\ncpus = 0,1,0\n",
            NAME ": device.cpu.cpus: processor 0 stands twice");
    refused("[device \"cpu\"]\ncpus = 3-1\n",
            NAME ": device.cpu.cpus: expected a whole number from 3 to 1023, not `1`");
    OK(parse("[device \"cpu\"]\ncpus = 0,,1\n") == -1);
    refused("[device \"nvidia-l4\"]\nclock-lock = 1410\n",
            NAME ": device.nvidia-l4.clock-lock: expected a clock such as 1410MHz, not `1410`");
    refused("[device \"nvidia-l4\"]\nclock-lock = MHz\n",
            NAME ": device.nvidia-l4.clock-lock: expected a clock such as 1410MHz, not `MHz`");
    refused("[device \"nvidia-l4\"]\nclock-lock = 14GHz\n",
            NAME ": device.nvidia-l4.clock-lock: expected a clock such as 1410MHz, not `14GHz`");
    refused("[device \"nvidia-l4\"]\nclock-lock = 99MHz\n",
            NAME ": device.nvidia-l4.clock-lock: expected a whole number from 100 to 10000, not "
                 "`99`");
    refused("[device \"cpu\"]\nclock-lock = 1410MHz\n",
            NAME ": device.cpu.clock-lock: only a GPU's clock can be locked");
    OK(parse("[device \"nvidia-l4\"]\nclock-lock = 900 mhz\n") == 0 &&
       host.devices[0].clock_lock_mhz == 900);
    OK(parse("[device \"cpu\"]\ncpus = 0-1023\n") == -1);
    HAS(err.text, "more than 256 processors");
    if (geteuid() == 0) {
        refused("[daemon]\nsandbox-user = root\n",
                NAME ": daemon.sandbox-user: expected a user without rights, not `root`");
        refused("[daemon]\nsandbox-user = no-such-user-here\n",
                NAME ": daemon.sandbox-user: there is no user `no-such-user-here` on this host");
    }

    tap_case("limits");
    refused("[limits]\nclients = 0\n",
            NAME ": limits.clients: expected a number from 1 to 1000000, not `0`");
    refused("[limits]\nhttp-timeout-ms = 99999999999\n",
            NAME ": limits.http-timeout-ms: expected a number from 1 to 604800000, not "
                 "`99999999999`");
    refused("[limits]\nconfigs = 257\n",
            NAME ": limits.configs: expected a number from 1 to 256, not `257`");
    OK(parse("[limits]\ncache-byte = 1\n") == -1);
#define EVERY(field, word, ...) HAS(err.text, word);
    LIMITS_TABLE(EVERY)
#undef EVERY
    OK(parse("[limits]\nfetch-bytes = 1g\n") == 0 && host.limits.fetch_bytes == 1u << 30);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return;
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static void test_files(void)
{
    char folder[] = "/tmp/test_host.XXXXXX", path[64];
    if (mkdtemp(folder) == NULL) {
        tap_skip("no folder below /tmp");
        return;
    }
    snprintf(path, sizeof path, "%s/conf", folder);

    tap_case("files");
    OK(host_load(path, &host, &err) == -1);
    EQ_INT(err.class, ERR_NOT_FOUND);
    write_file(path, whole, 0644);
    OK(host_load(path, &host, &err) == 0 && host.device_count == 3);
    chmod(path, 0646);
    OK(host_load(path, &host, &err) == -1);
    HAS(err.text, "may be written by everyone");
    OK(host_load(folder, &host, &err) == -1);
    HAS(err.text, "is not a regular file");
    static char big[100000];
    memset(big, '\n', sizeof big - 1);
    write_file(path, big, 0644);
    OK(host_load(path, &host, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);

    tap_case("tokens");
    struct host_repository repository = {.name = "a/b", .credential = CREDENTIAL_HOST};
    snprintf(repository.token_file, sizeof repository.token_file, "%s", path);
    char token[MODEL_TOKEN_BYTES] = "before";
    write_file(path, "ghs_Secret\n", 0600);
    OK(host_read_token(&repository, token, &err) == 0);
    EQ_STR(token, "ghs_Secret");
    chmod(path, 0640);
    OK(host_read_token(&repository, token, &err) == 0);
    chmod(path, 0644);
    OK(host_read_token(&repository, token, &err) == -1);
    HAS(err.text, "is open to everyone");
    OK(strstr(err.text, "Secret") == NULL);
    write_file(path, "\n", 0600);
    OK(host_read_token(&repository, token, &err) == -1);
    HAS(err.text, "holds no token");
    write_file(path, "Secret1\nSecret2\n", 0600);
    OK(host_read_token(&repository, token, &err) == -1);
    HAS(err.text, "more than one token");
    OK(strstr(err.text, "Secret") == NULL);
    enum { LONGEST = MODEL_TOKEN_BYTES - 1 };
    for (size_t len = LONGEST - 1; len < LONGEST + 3; len++) {
        memset(big, 'x', len);
        big[len] = '\0';
        write_file(path, big, 0600);
        int result = host_read_token(&repository, token, &err);
        OK(len <= LONGEST ? result == 0 && strlen(token) == len
                          : result == -1 && err.class == ERR_LIMIT);
    }
    snprintf(repository.app_key, sizeof repository.app_key, "%s", path);
    char key[HOST_KEY_BYTES];
    for (size_t len = HOST_KEY_BYTES - 4; len < HOST_KEY_BYTES + 2; len++) {
        memset(big, 'k', sizeof big - 1);
        big[len] = '\0';
        write_file(path, big, 0600);
        bool fits = len <= HOST_KEY_BYTES - 3;
        EQ_INT(host_read_app_key(&repository, key, &err), fits ? 0 : -1);
        OK(fits ? strlen(key) == len : err.class == ERR_LIMIT);
    }
    chmod(path, 0604);
    EQ_INT(host_read_app_key(&repository, key, &err), -1);
    HAS(err.text, "is open to everyone");
    repository.credential = CREDENTIAL_JOB;
    OK(host_read_token(&repository, token, &err) == -1);
    repository.credential = CREDENTIAL_HOST;
    unlink(path);
    OK(host_read_token(&repository, token, &err) == -1);
    EQ_INT(err.class, ERR_NOT_FOUND);
    rmdir(folder);
}

static void test_mutations(void)
{
    tap_case("three thousand broken files");
    unsigned taken = 0, wrong = 0;
    for (unsigned i = 0; i < 3000; i++) {
        static char text[8192];
        size_t len = strlen(whole);
        memcpy(text, whole, len);
        len = mutate(text, len, sizeof text);
        char *exact = malloc(len + (len == 0));
        if (exact == NULL)
            return;
        memcpy(exact, text, len);
        err = (struct err){0};
        if (host_parse(exact, len, NAME, &host, &err) == 0) {
            taken++;
            for (size_t k = 0; k < host.repository_count; k++)
                wrong += strncmp(host.repositories[k].api, "http", 4) != 0 ||
                         strchr(host.repositories[k].api, '@') != NULL;
        } else {
            wrong += strncmp(err.text, NAME, strlen(NAME)) != 0;
        }
        free(exact);
    }
    EQ_INT(wrong, 0);
    OK(taken > 100 && taken < 2900); /* both ends were reached */
}

/* What a limit is by default, a person may write down, and twice as much. */
static void test_every_limit(void)
{
    static const struct {
        const char *name;
        unsigned long long value;
    } limits[] = {
#define LIMIT(field, name, value, ...) {name, value},
        LIMITS_TABLE(LIMIT)
#undef LIMIT
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char text[128];
        tap_case(limits[i].name);
        for (unsigned times = 1; times <= 2; times++) {
            snprintf(text, sizeof text, "[limits]\n%s = %llu\n", limits[i].name,
                     times * limits[i].value);
            OK(parse(text) == 0);
        }
    }
}

int main(void)
{
    test_whole();
    test_lock_dir();
    test_default();
    test_addresses();
    test_prices();
    test_submodules();
    test_refusals();
    test_every_limit();
    test_files();
    test_mutations();
    return tap_done();
}
