/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where shared memory lies, and the seal that keeps a library from writing to its inputs. */
#include "harness/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Far from where the loader puts programs and libraries, which differ from worker to worker, and from what
 * AddressSanitizer keeps. Some kernels have addresses of 39 bits on ARM. */
#if defined(__aarch64__)
static uintptr_t next_address = (uintptr_t)1 << 37;
#else
static uintptr_t next_address = (uintptr_t)1 << 45;
#endif

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/* After this nobody maps it for writing, or writes to it otherwise; who has it mapped goes on. */
static int seal(const struct shared *shared, struct err *err)
{
    int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    if (shared->inputs)
        seals |= F_SEAL_FUTURE_WRITE;
    if (fcntl(shared->fd, F_ADD_SEALS, seals) == 0)
        return 0;
    return err_errno(err, ERR_HOST, errno, "seal shared memory");
}

int shared_open(size_t bytes, bool inputs, struct shared *out, struct err *err)
{
    struct shared shared = {.bytes = whole_pages(bytes), .inputs = inputs};
    shared.fd = memfd_create("ratchet-bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (shared.fd < 0)
        return err_errno(err, ERR_HOST, errno, "shared memory");
    if (ftruncate(shared.fd, (off_t)shared.bytes) == 0)
        shared.at = mmap((void *)next_address, shared.bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, shared.fd, 0);
    if (shared.at == NULL || shared.at == MAP_FAILED) {
        err_errno(err, ERR_HOST, errno, "allocate %zu bytes", bytes);
        close(shared.fd);
        return -1;
    }
    /* With a page between, to write behind the end is a fault. */
    next_address += shared.bytes + whole_pages(1);
    *out = shared;
    if (seal(&shared, err) != 0) {
        shared_close(out);
        return -1;
    }
    memset(shared.at, 0, shared.bytes);
    return 0;
}

void shared_close(struct shared *shared)
{
    if (shared->at == NULL)
        return;
    munmap(shared->at, shared->bytes);
    close(shared->fd);
    *shared = (struct shared){0};
}

int shared_map(const struct shared *shared, int fd, struct err *err)
{
    int may = shared->inputs ? PROT_READ : PROT_READ | PROT_WRITE;
    if (mmap(shared->at, shared->bytes, may, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE,
             fd, 0) == shared->at)
        return 0;
    return err_errno(err, ERR_HOST, errno, "map %zu bytes of shared memory", shared->bytes);
}
