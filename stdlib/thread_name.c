#include "thread_name.h"

#include <pthread.h>
#include <stdio.h>

void cora__thread_name(const char *prefix, int number)
{
    char name[16];

    snprintf(name, sizeof name, "%s_%d", prefix, number);
#ifdef __APPLE__
    pthread_setname_np(name);
#else
    pthread_setname_np(pthread_self(), name);
#endif
}
