#include <cora/multiprocessing/shared_memory.h>

#include <errno.h>
#include <stdalign.h>

struct cora_multiprocessing_array {
    cora_multiprocessing_lock lock;
    cora_multiprocessing_shared_memory memory; /* that all of this is in */
    size_t count;
    alignas(64) char items[];
};

int cora_multiprocessing_array_create(size_t count, size_t size, cora_multiprocessing_array **ret)
{
    cora_multiprocessing_shared_memory memory;
    cora_multiprocessing_array *array;
    size_t bytes;
    int rc;

    if (count == 0 || size == 0)
        return -EINVAL;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof *array, &bytes))
        return -ENOMEM;
    rc = cora_multiprocessing_shared_memory_anonymous(&memory, bytes);
    if (rc < 0)
        return rc;
    array = memory.buf;
    array->memory = memory;
    array->count = count;
    rc = cora_multiprocessing_rlock_init(&array->lock);
    if (rc < 0)
        cora_multiprocessing_shared_memory_close(&memory);
    else
        *ret = array;
    return rc;
}

void cora_multiprocessing_array_free(cora_multiprocessing_array *array)
{
    cora_multiprocessing_shared_memory memory;

    if (array == NULL)
        return;
    memory = array->memory;
    cora_multiprocessing_shared_memory_close(&memory);
}

void *cora_multiprocessing_array_get_obj(cora_multiprocessing_array *array)
{
    return array->items;
}

size_t cora_multiprocessing_array_len(const cora_multiprocessing_array *array)
{
    return array->count;
}

cora_multiprocessing_lock *cora_multiprocessing_array_get_lock(cora_multiprocessing_array *array)
{
    return &array->lock;
}
