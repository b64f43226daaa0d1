#include <cora/error.h>

#include <limits.h>
#include <string.h>

/* INT_MIN has no positive counterpart, and is as unknown as INT_MAX. */
static int without_sign(int error)
{
    return error >= 0 ? error : error == INT_MIN ? INT_MAX : -error;
}

const char *cora_strerror(int error)
{
    int code = without_sign(error);

    switch (code) {
    case 0:
        return "success";
    case ECANCELED:
        return "cancelled";
    case ETIMEDOUT:
        return "timed out";
#define CORA_ERROR_CASE(name, value, text)                                                         \
    case value:                                                                                    \
        return text;
        CORA_ERRORS(CORA_ERROR_CASE)
#undef CORA_ERROR_CASE
    default: {
        /* strerrordesc_np is async-signal-safe and not subject to the locale, but glibc's alone. */
#ifdef __GLIBC__
        const char *text = strerrordesc_np(code);
#else
        const char *text = strerror(code);
#endif
        return text != NULL ? text : "unknown error";
    }
    }
}

const char *cora_strerrorname(int error)
{
    int code = without_sign(error);

    switch (code) {
#define CORA_ERROR_CASE(name, value, text)                                                         \
    case value:                                                                                    \
        return #name;
        CORA_ERRORS(CORA_ERROR_CASE)
#undef CORA_ERROR_CASE
    default: {
#ifdef __GLIBC__
        const char *name = strerrorname_np(code);
#else
        const char *name = NULL;
#endif
        return name != NULL ? name : "unknown";
    }
    }
}
