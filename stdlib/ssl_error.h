/*
 * ssl_error.h: OpenSSL's queue of errors, one a thread, as one of our error codes.
 *
 * What lies in it must not be taken for the next call's, so it is emptied before each call whose
 * outcome is asked for, and by whoever asks.
 */
#ifndef CORA_STDLIB_SSL_ERROR_H
#define CORA_STDLIB_SSL_ERROR_H

#include <cora/ssl.h>

/*
 * The error of the call that has just failed; -CORA_ESSL where OpenSSL does not say more. Its words
 * go to *failure (NULL: not wanted); `verify_result` of SSL_get_verify_result. Empties the queue.
 */
int cora__ssl_take_error(long verify_result, cora_ssl_failure *failure);

#endif
