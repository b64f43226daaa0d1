#ifdef CORA_OPENSSL

#include "ssl_error.h"

#include <cora/error.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

/* The first of the queue is the cause, the others tell what it led to. */
static int code_of(unsigned long error)
{
    if (ERR_SYSTEM_ERROR(error))
        return -ERR_GET_REASON(error);
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        return -ENOMEM;
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return -CORA_ESSL;
    switch (ERR_GET_REASON(error)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return -CORA_ECERTVERIFY;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return -CORA_ESSLEOF;
    default:
        return -CORA_ESSL;
    }
}

int cora__ssl_take_error(long verify_result, cora_ssl_failure *failure)
{
    unsigned long error = ERR_get_error();
    int code = error != 0 ? code_of(error) : -CORA_ESSL;
    const char *text = code == -CORA_ECERTVERIFY ? X509_verify_cert_error_string(verify_result)
                                                 : ERR_reason_error_string(error);

    ERR_clear_error();
    if (failure == NULL)
        return code;
    failure->verify_result = code == -CORA_ECERTVERIFY ? verify_result : X509_V_OK;
    snprintf(failure->text, sizeof failure->text, "%s", text != NULL ? text : cora_strerror(code));
    return code;
}

#endif
