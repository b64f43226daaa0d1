#include <cora/threading/local.h>

#include "link.h"

#include <errno.h>
#include <stdlib.h>

/* A thread's. Its key tells the thread where it is, the list those who destroy the local. */
struct data {
    cora_threading_local *local;
    struct cora__link link;
    char bytes[] __attribute__((aligned(16)));
};

static void end_data(struct data *data)
{
    if (data->local->destructor_ != NULL)
        data->local->destructor_(data->bytes);
    free(data);
}

static void on_thread_end(void *arg)
{
    struct data *data = arg;

    pthread_mutex_lock(&data->local->mutex_);
    cora__link_remove(&data->link);
    pthread_mutex_unlock(&data->local->mutex_);
    end_data(data);
}

int cora_threading_local_init(cora_threading_local *local, size_t size, int (*init)(void *data),
                              void (*destructor)(void *data))
{
    int error = pthread_key_create(&local->key_, on_thread_end);

    if (error != 0)
        return -error;
    pthread_mutex_init(&local->mutex_, NULL);
    local->size_ = size;
    local->init_ = init;
    local->destructor_ = destructor;
    local->first_ = NULL;
    return 0;
}

void cora_threading_local_destroy(cora_threading_local *local)
{
    struct cora__link *next;

    pthread_key_delete(local->key_);
    for (struct cora__link *link = local->first_; link != NULL; link = next) {
        next = link->next;
        end_data(link->object);
    }
    pthread_mutex_destroy(&local->mutex_);
}

static struct data *create_data(cora_threading_local *local)
{
    struct data *data = calloc(1, sizeof *data + local->size_);

    if (data == NULL)
        return NULL;
    data->local = local;
    if (local->init_ != NULL && local->init_(data->bytes) < 0) {
        free(data);
        return NULL;
    }
    if (pthread_setspecific(local->key_, data) != 0) {
        end_data(data);
        return NULL;
    }
    pthread_mutex_lock(&local->mutex_);
    cora__link_add(&local->first_, &data->link, data);
    pthread_mutex_unlock(&local->mutex_);
    return data;
}

void *cora_threading_local_get(cora_threading_local *local)
{
    struct data *data = pthread_getspecific(local->key_);

    if (data == NULL)
        data = create_data(local);
    return data != NULL ? data->bytes : NULL;
}
