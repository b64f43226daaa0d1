#include "thread_name.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

void cora__thread_set_name(const char *name)
{
    char first[16] = "";

    memcpy(first, name, strnlen(name, sizeof first - 1));
#ifdef __APPLE__
    pthread_setname_np(first);
#else
    pthread_setname_np(pthread_self(), first);
#endif
}

void cora__thread_name(const char *prefix, int number)
{
    char name[16];

    snprintf(name, sizeof name, "%s_%d", prefix, number);
    cora__thread_set_name(name);
}
