/* SPDX-License-Identifier: Apache-2.0 */
/* The socket that systemd holds for a service (sd_listen_fds(3)). */
#ifndef RATCHET_BASE_INHERITED_H
#define RATCHET_BASE_INHERITED_H

/* Its descriptor, which no exec carries on; -1 where there is not exactly one. */
int inherited_socket(void);

#endif
