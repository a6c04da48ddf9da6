/* SPDX-License-Identifier: Apache-2.0 */
/* base/jwt: what OpenSSL itself takes for signed, and keys that are none. */
#include "base/jwt.h"

#include "tap.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string.h>

enum { PEM_BYTES = 8192 };

static EVP_PKEY *make_key(int kind, size_t bits, const char *passphrase, char pem[PEM_BYTES])
{
    EVP_PKEY *key = kind == EVP_PKEY_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits)
                                         : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    BIO *out = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase == NULL ? NULL : EVP_aes_128_cbc();
    char *text = NULL;
    OK(PEM_write_bio_PKCS8PrivateKey(out, key, cipher, NULL, 0, NULL, (void *)(uintptr_t)passphrase) == 1);
    long len = BIO_get_mem_data(out, &text);
    memcpy(pem, text, (size_t)len);
    pem[len] = '\0';
    BIO_free(out);
    return key;
}

/* Bytes of base64url up to `end`. */
static size_t decode(const char *text, const char *end, unsigned char *out)
{
    char padded[JWT_BYTES];
    size_t len = (size_t)(end - text);
    memcpy(padded, text, len);
    for (size_t i = 0; i < len; i++)
        padded[i] = padded[i] == '-' ? '+' : padded[i] == '_' ? '/' : padded[i];
    size_t missing = (4 - len % 4) % 4;
    memset(padded + len, '=', missing);
    return (size_t)EVP_DecodeBlock(out, (const unsigned char *)padded, (int)(len + missing)) -
           missing;
}

static void signed_by_the_key(void)
{
    static const size_t sizes[] = {2048, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char pem[PEM_BYTES], token[JWT_BYTES];
        unsigned char bytes[JWT_BYTES];
        struct err err = {0};
        EVP_PKEY *key = make_key(EVP_PKEY_RSA, sizes[i], NULL, pem);
        EQ_INT(jwt_sign(pem, strlen(pem), "k", "12345", 1767603600, 1767604200, token, &err),
               0);
        char *first = strchr(token, '.'), *second = strrchr(token, '.');
        size_t len = decode(token, first, bytes);
        bytes[len] = '\0';
        EQ_STR((char *)bytes, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
        len = decode(first + 1, second, bytes);
        bytes[len] = '\0';
        EQ_STR((char *)bytes, "{\"iat\":1767603600,\"exp\":1767604200,\"iss\":\"12345\"}");
        len = decode(second + 1, token + strlen(token), bytes);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        EQ_INT(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
        EQ_INT(EVP_DigestVerify(context, bytes, len, (unsigned char *)token,
                                (size_t)(second - token)),
               1);
        token[3]++; /* another text is not signed */
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
        OK(EVP_DigestVerify(context, bytes, len, (unsigned char *)token,
                            (size_t)(second - token)) != 1);
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
    }
}

static void refuse(const char *pem, const char *issuer, const char *why)
{
    char token[JWT_BYTES];
    struct err err = {0};
    EQ_INT(jwt_sign(pem, strlen(pem), "/etc/key.pem", issuer, 0, 1, token, &err), -1);
    EQ_INT((int)err.class, ERR_INPUT);
    HAS(err.text, why);
}

static void what_is_no_key(void)
{
    char pem[PEM_BYTES], part[PEM_BYTES];
    refuse("", "1", "`/etc/key.pem` holds no private key");
    refuse("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "1",
           "holds no private key");
    EVP_PKEY_free(make_key(EVP_PKEY_RSA, 2048, "secret", pem));
    refuse(pem, "1", "without passphrase");
    EVP_PKEY_free(make_key(EVP_PKEY_RSA, 1024, NULL, pem));
    refuse(pem, "1", "no RSA key of 2048 bits");
    EVP_PKEY_free(make_key(EVP_PKEY_EC, 0, NULL, pem));
    refuse(pem, "1", "no RSA key");
    EVP_PKEY_free(make_key(EVP_PKEY_RSA, 2048, NULL, pem));
    memcpy(part, pem, sizeof part);
    part[strlen(pem) / 2] = '\0';
    refuse(part, "1", "holds no private key");
    refuse(pem, "", "is no name of an App");
    refuse(pem, "1\",\"iss\":\"2", "is no name of an App");
}

int main(void)
{
    tap_case("signed by the key, as OpenSSL reads it");
    signed_by_the_key();
    tap_case("what is no key, or no name");
    what_is_no_key();
    return tap_done();
}
