/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds of device: every row is complete, and what is in no row is refused. */
#include "measure/device/device.h"

#include "measure/device/clocks.h"
#include "measure/device/witness.h"
#include "tests/tap.h"

#include <string.h>

static struct err err;
static const struct machine machine = {
    .cpu = "a CPU", .cores = 4, .l2_bytes = 1 << 20, .llc_bytes = 8 << 20, .tick_ns = 1.0};
static const struct gpu gpu = {
    .uuid = "GPU-1", .id = "0123456789abcdef", .name = "NVIDIA H200", .capability = "9.0"};
static const struct problem problem = {.batch = 2, .heads = 4, .heads_kv = 4, .seq_q = 512,
                                       .seq_k = 512, .head_dim = 64, .dtype = DTYPE_FP16};

static struct device_use use_of(const struct device_kind *kind)
{
    return (struct device_use){.machine = &machine, .gpu = kind->find == NULL ? NULL : &gpu,
                               .threads = 4, .l2_bytes = 50 << 20};
}

static void test_row(const struct device_kind *kind)
{
    static char name[64]; /* of the case, also for what follows */
    snprintf(name, sizeof name, "the row of `%s` is complete", kind->prefix);
    tap_case(name);
    OK(kind->prefix[0] != '\0' && kind->harness[0] != '\0');
    OK(kind->archs != NULL && kind->disturbed_mark != 0);
    OK(kind->set_variables != NULL && kind->name != NULL && kind->facts != NULL);
    OK(kind->rotation != NULL && kind->floor_ns != NULL && kind->tick_ns != NULL);
    for (const struct device_arch *row = kind->archs; row->slug != NULL; row++) {
        OK(device_kind_of(row->slug) == kind);
        EQ_STR(device_arch(row->slug), row->arch);
    }
    /* Whoever reads only the slug, as intake does, takes the same ones for GPUs. */
    EQ_INT(device_is_gpu(kind->prefix), kind->find != NULL);
    OK(kind->needs == NULL || (kind->needs->numbered != NULL && kind->needs->library != NULL));
    OK(kind->compiler == NULL || (kind->compiler->name != NULL &&
                                  kind->compiler->version != NULL &&
                                  kind->compiler->advice != NULL));
    const struct witness_ops *ops = kind->witness;
    OK(ops == NULL || (ops->open != NULL && ops->begin != NULL && ops->end != NULL &&
                       ops->close != NULL));
    /* What doctor says of a GPU; and clocks that are locked have to be unlocked. */
    EQ_INT(kind->checks != NULL, kind->find != NULL);
    EQ_INT(kind->lock_clock != NULL, kind->unlock_clock != NULL);
    OK(kind->lock_clock == NULL || kind->find != NULL);
    if (kind->checks == NULL)
        return;
    OK(kind->checks->driver != NULL && kind->checks->runtime != NULL &&
       kind->checks->describe != NULL);
    for (const struct device_check *check = kind->checks->list; check->what != NULL; check++)
        OK(check->good != NULL && check->try != NULL);
}

/* What every kind answers alike, whatever its figures are. */
static void test_answers(const struct device_kind *kind)
{
    struct device_use use = use_of(kind);
    struct device_variables variables;
    OK(kind->name(&use)[0] != '\0');
    OK(kind->tick_ns(&use) > 0.0);
    OK(kind->floor_ns(&use, &problem) > 0.0);
    OK(kind->rotation(&use) > 0);
    use.warm_inputs = true;
    EQ_INT(kind->rotation(&use), 0);
    kind->set_variables(use.gpu, &variables);
    size_t count = 0;
    for (; count < DEVICE_VARIABLES_MAX && variables.list[count] != NULL; count++)
        OK(strchr(variables.list[count], '=') != NULL);
    OK(count < DEVICE_VARIABLES_MAX);
}

static void test_figures(void)
{
    tap_case("figures of the CPU");
    struct device_use use = use_of(&device_kind_cpu);
    double operations = 4.0 * 2 * 4 * 64 * 512 * 512;
    OK(device_kind_cpu.floor_ns(&use, &problem) == operations / (64.0 * 6.0 * 4));
    EQ_INT(device_kind_cpu.rotation(&use), 16 << 20);
    struct machine large = machine;
    large.llc_bytes = 100 << 20;
    use.machine = &large;
    EQ_INT(device_kind_cpu.rotation(&use), 8 << 20); /* twice the L2 of four threads */
    large.l2_bytes = 0;
    EQ_INT(device_kind_cpu.rotation(&use), 64 << 20);

    tap_case("figures of a GPU");
    use = use_of(&device_kind_nvidia);
    OK(device_kind_nvidia.floor_ns(&use, &problem) == operations / 989.5e3);
    EQ_INT(device_kind_nvidia.rotation(&use), 100 << 20);
    use.l2_bytes = 0;
    EQ_INT(device_kind_nvidia.rotation(&use), 128 << 20);
}

static void test_lookup(void)
{
    tap_case("a slug's front says its kind");
    OK(device_kind_of("cpu") == &device_kind_cpu);
    OK(device_kind_of("nvidia-h200") == &device_kind_nvidia);
    EQ_STR(device_arch("nvidia-a100-sxm4-80gb"), "sm_80");
    OK(device_arch("nvidia-a1000") == NULL);

    tap_case("what is of no kind is refused");
    static const char *const strange[] = {"tpu-v5", "nvidia", "cpu-2", "cp", "NVIDIA-l4", ""};
    const struct device_kind *kind = NULL;
    char expected[96];
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        OK(device_kind_of(strange[i]) == NULL && device_arch(strange[i]) == NULL);
        OK(device_kind_get(strange[i], &gpu, &kind, &err) == -1);
        EQ_INT(err.class, ERR_HOST);
        snprintf(expected, sizeof expected, "no harness for device `%s` is built in",
                 strange[i]);
        EQ_STR(err.text, expected);
    }
    OK(device_kind_get("nvidia-l4", NULL, &kind, &err) == -1); /* a lane without its GPU */
    EQ_STR(err.text, "device `nvidia-l4`: no GPU was given to measure on");
    OK(kind == NULL);
    OK(device_kind_get("nvidia-l4", &gpu, &kind, &err) == 0 && kind == &device_kind_nvidia);
    OK(device_kind_get("cpu", NULL, &kind, &err) == 0 && kind == &device_kind_cpu);
    struct gpu found;
    OK(device_find_gpu("cpu", "", &found, &err) == -1);
    EQ_STR(err.text, "device `cpu` is no GPU");
}

static void test_locks(void)
{
    tap_case("locks");
    char path[FILE_PATH_BYTES];
    OK(device_lock_path("/locks", "cpu", NULL, path, &err) == 0);
    EQ_STR(path, "/locks/ratchet-cpu.lock");
    OK(device_lock_path("/locks", "nvidia-h200", &gpu, path, &err) == 0);
    EQ_STR(path, "/locks/ratchet-gpu-0123456789abcdef.lock");

    tap_case("clocks of a kind that has no lock for them");
    struct clocks_lock *lock = NULL;
    OK(clocks_try("cpu", &gpu, 1410, &err) == -1);
    OK(clocks_lock("cpu", &gpu, 1410, "/nowhere", -1, &lock, &err) == -1 && lock == NULL);
    EQ_INT(err.class, ERR_HOST);
    EQ_STR(err.text, "the clocks of device `cpu` cannot be locked");
}

int main(void)
{
    for (size_t i = 0; i < DEVICE_KINDS; i++) {
        test_row(device_kind_at(i));
        test_answers(device_kind_at(i));
    }
    test_figures();
    test_lookup();
    test_locks();
    return tap_done();
}
