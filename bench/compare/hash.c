#include "hash.h"

#include <errno.h>
#include <openssl/evp.h>

int hash(double size)
{
    static const char piece[64 << 10];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char sum[EVP_MAX_MD_SIZE];
    int ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL);

    for (double done = 0; ok && done < size * (1 << 20); done += sizeof piece)
        ok = EVP_DigestUpdate(context, piece, sizeof piece);
    ok = ok && EVP_DigestFinal_ex(context, sum, NULL);
    EVP_MD_CTX_free(context);
    return ok ? 0 : -ENOMEM;
}
