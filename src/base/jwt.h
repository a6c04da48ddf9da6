/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON Web Token signed with RSA and SHA-256 (RFC 7519; RS256 of RFC 7518, 3.3), by OpenSSL: how a
 * GitHub App says who it is. */
#ifndef RATCHET_BASE_JWT_H
#define RATCHET_BASE_JWT_H

#include "base/err.h"

#include <stddef.h>

enum { JWT_BYTES = 2048, JWT_KEY_BITS_MIN = 2048 };

/* `pem`: a private RSA key without a passphrase (PKCS#1 or PKCS#8); `name`: where it is from, for
 * messages. `issuer`: of plain letters, digits, `.`, `-` and `_`. Times are seconds since 1970. What is
 * no such key is ERR_INPUT. Wiping pem and out is the caller's part. */
MUST_CHECK int jwt_sign(const char *pem, size_t len, const char *name, const char *issuer,
                        long long issued_s, long long expires_s, char out[JWT_BYTES],
                        struct err *err);

#endif
