/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the form of a signed token, and which keys are taken. */
#include "base/jwt.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SIGNATURE_BYTES = 1024 }; /* of a key of 8192 bits */

/* Append a part of the token, after a dot if it is not the first: base64url without padding (RFC 4648,
 * 5). False: no room. */
static bool add_part(char out[JWT_BYTES], const unsigned char *bytes, size_t len)
{
    size_t used = strlen(out);
    if (used + 1 + 4 * ((len + 2) / 3) + 1 > JWT_BYTES)
        return false;
    if (used > 0)
        out[used++] = '.';
    EVP_EncodeBlock((unsigned char *)out + used, bytes, (int)len);
    for (char *c = out + used; *c != '\0'; c++) {
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        if (*c == '=')
            *c = '\0'; /* padding is all that follows */
    }
    return true;
}

static bool is_plain(const char *text)
{
    return text[0] != '\0' &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789.-_") == strlen(text);
}

/* A key behind a passphrase must not make a daemon ask for one on its terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *read_key(const char *pem, size_t len)
{
    BIO *source = len > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *key = source == NULL
                        ? NULL
                        : PEM_read_bio_PrivateKey(source, NULL, no_passphrase, NULL);
    BIO_free(source);
    return key;
}

static bool sign(EVP_PKEY *key, const char *text, unsigned char out[SIGNATURE_BYTES],
                 size_t *len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    *len = SIGNATURE_BYTES;
    bool done = context != NULL &&
                EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, out, len, (const unsigned char *)text, strlen(text)) ==
                    1;
    EVP_MD_CTX_free(context);
    return done;
}

int jwt_sign(const char *pem, size_t len, const char *name, const char *issuer,
             long long issued_s, long long expires_s, char out[JWT_BYTES], struct err *err)
{
    static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
    char claims[256];
    unsigned char signature[SIGNATURE_BYTES];
    size_t signature_len = 0;
    int claims_len = snprintf(claims, sizeof claims,
                              "{\"iat\":%lld,\"exp\":%lld,\"iss\":\"%s\"}", issued_s,
                              expires_s, issuer);
    if (!is_plain(issuer) || claims_len < 0 || (size_t)claims_len >= sizeof claims)
        return err_set(err, ERR_INPUT, "`%.60s` is no name of an App", issuer);
    EVP_PKEY *key = read_key(pem, len);
    if (key == NULL)
        return err_set(err, ERR_INPUT, "`%s` holds no private key in PEM (without passphrase)",
                       name);
    int result = 0;
    out[0] = '\0';
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < JWT_KEY_BITS_MIN)
        result = err_set(err, ERR_INPUT, "`%s` holds no RSA key of %d bits or more", name,
                         JWT_KEY_BITS_MIN);
    else if (!add_part(out, (const unsigned char *)header, sizeof header - 1) ||
             !add_part(out, (const unsigned char *)claims, (size_t)claims_len) ||
             !sign(key, out, signature, &signature_len) ||
             !add_part(out, signature, signature_len))
        result = err_set(err, ERR_INPUT, "nothing can be signed with the key in `%s`", name);
    EVP_PKEY_free(key);
    OPENSSL_cleanse(signature, sizeof signature);
    return result;
}
