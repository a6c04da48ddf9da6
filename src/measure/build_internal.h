/* SPDX-License-Identifier: Apache-2.0 */
/* What the build's files say to one another. */
#ifndef RATCHET_MEASURE_BUILD_INTERNAL_H
#define RATCHET_MEASURE_BUILD_INTERNAL_H

#include "base/file.h"
#include "measure/build.h"

/* The build's own failure: one line, not an error of ours. Returns 0. */
int build_fail(struct build_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Where sources are: in a folder, or in a parcel (checkout_parcel), where `parcel` is not negative. */
struct build_source {
    const char *folder;
    int parcel;
};

/* Run the recipe on the sources and write what it made to `library`, a path where
 * nothing is yet: 0755, at most kernel_bytes. *made is false, and result->failure says why,
 * where the build failed. Nothing on this host's disks is writable for it. */
MUST_CHECK int build_run(const struct build_request *request,
                         const struct build_source *source, const char *library, bool *made,
                         struct build_result *result, struct buf *log, struct err *err);

/* What runs in the sandbox of a build, and of who asks for versions. */
extern const char build_script[], toolchain_script[];
/* Where a build from a parcel finds ratchet-checkout. */
#define BUILD_CHECKOUT "/run/ratchet-checkout"

/* What builds are made with: a line for people, and a key that changes with anything that the
 * build sandbox shows; "" where there is too much of it to look at. */
struct toolchain {
    char text[BUILD_TOOLCHAIN_BYTES];
    char key[FILE_SHA256_BYTES];
};
MUST_CHECK int toolchain_now(const char *device, struct toolchain *out, struct err *err);

/* The same of given versions and of what lies below `roots` (NULL-terminated), at most `max`
 * files and folders. */
MUST_CHECK int toolchain_of(const char *versions, const char *const *roots,
                            unsigned long long max, struct toolchain *out, struct err *err);

#endif
