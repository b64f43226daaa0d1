/*
 * shared_memory.h: memory that several processes have (multiprocessing.shared_memory, Array,
 * Value).
 *
 *     cora_multiprocessing_shared_memory memory;
 *
 *     rc = cora_multiprocessing_shared_memory_anonymous(&memory, sizeof(struct shared));
 *     shared = memory.buf;                  // so it is in children that are started from now on
 *
 * What others can only find by a name has one, of shm_open(3): /dev/shm keeps it until it is
 * unlinked, also when all processes have ended.
 */
#ifndef CORA_MULTIPROCESSING_SHARED_MEMORY_H
#define CORA_MULTIPROCESSING_SHARED_MEMORY_H

#include <cora/base.h>
#include <cora/multiprocessing/lock.h>

CORA_BEGIN_DECLS

enum { CORA_MULTIPROCESSING_NAME_SIZE = 64 };

/* In storage of the caller's, and to be read by him. */
typedef struct cora_multiprocessing_shared_memory {
    void *buf; /* of zeros at first, at the start of a page; NULL once it is closed */
    size_t size;
    char name[CORA_MULTIPROCESSING_NAME_SIZE]; /* "" where it has none */
} cora_multiprocessing_shared_memory;

/*
 * SharedMemory(name, create=True, size): `name` NULL: one that nobody has. Only this user may
 * attach it. 0; -EEXIST; -EINVAL for no bytes and for a name that is empty, too long or has a
 * slash; -ENOSPC where it does not fit into /dev/shm; -ENOMEM, -EMFILE, -ENFILE; -EACCES.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_shared_memory_create(
    cora_multiprocessing_shared_memory *ret, const char *name, size_t size);

/* SharedMemory(name): all of what another process has created. 0; -ENOENT; else as create. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_shared_memory_attach(
    cora_multiprocessing_shared_memory *ret, const char *name);

/* Without a name: this process's, and its children's from now on. 0; -EINVAL for no bytes; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_shared_memory_anonymous(
    cora_multiprocessing_shared_memory *ret, size_t size);

/* The memory is no longer this process's; others keep it. Idempotent. */
CORA_API void cora_multiprocessing_shared_memory_close(cora_multiprocessing_shared_memory *memory);

/*
 * Its name is nobody's any more; the memory goes when the last process has closed it. 0; -ENOENT
 * where somebody else has done so, or it has none.
 */
CORA_API int cora_multiprocessing_shared_memory_unlink(
    const cora_multiprocessing_shared_memory *memory);

/* ---- Array --------------------------------------------------------------------------------- */

/*
 * An array, of anonymous shared memory, and a lock for it. A Value is an array of one.
 *
 *     rc = cora_multiprocessing_array_create(10, sizeof(int), &array);
 *     int *numbers = cora_multiprocessing_array_get_obj(array);
 */
typedef struct cora_multiprocessing_array cora_multiprocessing_array;

/* Of zeros. *ret is the caller's, and its children's, each for _free. 0; -EINVAL; -ENOMEM. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_array_create(size_t count, size_t size,
                                                               cora_multiprocessing_array **ret);
CORA_API void cora_multiprocessing_array_free(cora_multiprocessing_array *array);

CORA_API void *cora_multiprocessing_array_get_obj(cora_multiprocessing_array *array);
CORA_API size_t cora_multiprocessing_array_len(const cora_multiprocessing_array *array);

/* An RLock. */
CORA_API cora_multiprocessing_lock *cora_multiprocessing_array_get_lock(
    cora_multiprocessing_array *array);

CORA_END_DECLS

#endif
