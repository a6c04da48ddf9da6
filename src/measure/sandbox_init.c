/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bytes of ratchet-init (src/init), which is carried in here: there is no path at which it
 * could be missing, be of another version, or not be reached by the user of a sandbox. */
#include "measure/sandbox_internal.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Built before this file, in the folder that the compiler runs in. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "sandbox_init_begin:\n"
        ".incbin \"src/init/ratchet-init\"\n"
        "sandbox_init_end:\n"
        ".previous\n");
extern const char sandbox_init_begin[], sandbox_init_end[];

int sandbox_init(struct err *err)
{
    const char *from = sandbox_init_begin;
    FD_AUTO fd = memfd_create("ratchet-init", MFD_CLOEXEC);
    while (fd >= 0 && from < sandbox_init_end) {
        ssize_t put = write(fd, from, (size_t)(sandbox_init_end - from));
        if (put < 0 && errno != EINTR)
            break;
        from += put > 0 ? put : 0;
    }
    if (fd < 0 || from < sandbox_init_end || lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(err, ERR_HOST, errno, "sandbox: the program of its process 1");
    int whole = fd;
    fd = -1;
    return whole;
}
