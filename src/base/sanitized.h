/* SPDX-License-Identifier: Apache-2.0 */
/* Is this a build with AddressSanitizer? It reserves terabytes of address space. */
#ifndef RATCHET_BASE_SANITIZED_H
#define RATCHET_BASE_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
