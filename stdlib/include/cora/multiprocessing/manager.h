/*
 * manager.h: tables and lists that a process keeps for others (multiprocessing.Manager).
 *
 *     cora_multiprocessing_manager *manager;
 *
 *     rc = cora_multiprocessing_manager_start(&manager);
 *     ...
 *     cora_multiprocessing_dict pages = {manager, "pages"};    // in this process or in a child
 *     rc = cora_multiprocessing_dict_set(&pages, url, text, size);
 *     ...
 *     cora_multiprocessing_manager_shutdown(manager);
 *     cora_multiprocessing_manager_free(manager);
 *
 * A dict or a list is a manager and a name, and is there, and empty, as soon as it is named. Values
 * are bytes, and are copied. Each call is done as a whole, in some order with all the others.
 *
 * Only this process and those that are forked from it can speak to the manager, from any thread.
 * Calls block the thread, not only the task. All of them also return -CORA_EMANAGERGONE where it
 * was shut down or has died; -EMFILE, -ENFILE; -ENOMEM, on whichever side; -EMSGSIZE for more than
 * 1 GiB.
 */
#ifndef CORA_MULTIPROCESSING_MANAGER_H
#define CORA_MULTIPROCESSING_MANAGER_H

#include <cora/base.h>
#include <cora/multiprocessing/process.h>

#include <sys/types.h>

CORA_BEGIN_DECLS

typedef struct cora_multiprocessing_manager cora_multiprocessing_manager;

/*
 * Manager(): starts the process, a daemon. It ignores Ctrl-C, as Python's, has none of this one's
 * descriptors, and ends when nobody is left who could speak to it. *ret is the caller's, for _free,
 * and that of children that are started from now on. 0; as cora_multiprocessing_process_start.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_manager_start(cora_multiprocessing_manager **ret);

/*
 * shutdown(): ends the process, and what it keeps is lost. Blocks until it has ended; where it does
 * not within 10 seconds it is killed. Idempotent. 0; -ECHILD in another process than the one that
 * has started it.
 */
CORA_API int cora_multiprocessing_manager_shutdown(cora_multiprocessing_manager *manager);

/* Shuts it down where this process has started it, and frees the object. NULL is accepted. */
CORA_API void cora_multiprocessing_manager_free(cora_multiprocessing_manager *manager);

/* Its process; borrowed. */
CORA_API cora_multiprocessing_process *cora_multiprocessing_manager_process(
    const cora_multiprocessing_manager *manager);

/* ---- dict ---------------------------------------------------------------------------------- */

typedef struct cora_multiprocessing_dict {
    cora_multiprocessing_manager *manager;
    const char *name;
} cora_multiprocessing_dict;

/* dict[key] = value. 0. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_dict_set(const cora_multiprocessing_dict *dict,
                                                           const char *key, const void *value,
                                                           size_t size);

/* dict[key]: its length; *ret_value is the caller's, for free(3). -ENOENT. */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_dict_get(
    const cora_multiprocessing_dict *dict, const char *key, void **ret_value);

/* pop(): the same, and it is no longer there. */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_dict_pop(
    const cora_multiprocessing_dict *dict, const char *key, void **ret_value);

/* del dict[key]. 0; -ENOENT. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_dict_delete(const cora_multiprocessing_dict *dict,
                                                              const char *key);

/* len(dict). */
CORA_API CORA_MUST_CHECK ssize_t
cora_multiprocessing_dict_len(const cora_multiprocessing_dict *dict);

/*
 * keys(): how many, in the order in which they came; *ret_keys, with what it points to, is the
 * caller's, for one free(3).
 */
CORA_API CORA_MUST_CHECK ssize_t
cora_multiprocessing_dict_keys(const cora_multiprocessing_dict *dict, char ***ret_keys);

/*
 * What Python's dict does not have: dict[key] += number, of an int64_t, 0 where there is none. 0;
 * *ret_sum (NULL: not wanted) is what it is then. -EINVAL where it has another size; -EOVERFLOW.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_dict_add(const cora_multiprocessing_dict *dict,
                                                           const char *key, int64_t number,
                                                           int64_t *ret_sum);

/*
 * Sets dict[key] to the value if it is `expected`; expected NULL: if there is none. 1; 0: it was
 * something else, and stays so.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_dict_compare_and_swap(
    const cora_multiprocessing_dict *dict, const char *key, const void *expected,
    size_t expected_size, const void *value, size_t size);

/* ---- list ---------------------------------------------------------------------------------- */

typedef struct cora_multiprocessing_list {
    cora_multiprocessing_manager *manager;
    const char *name;
} cora_multiprocessing_list;

/* append(). 0. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_list_append(const cora_multiprocessing_list *list,
                                                              const void *value, size_t size);

/*
 * list[index], from the end where it is negative: its length; *ret_value is the caller's, for
 * free(3). -ERANGE.
 */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_list_get(
    const cora_multiprocessing_list *list, ssize_t index, void **ret_value);

/* pop(index): the same, and those behind it move up. */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_list_pop(
    const cora_multiprocessing_list *list, ssize_t index, void **ret_value);

/* list[index] = value. 0; -ERANGE. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_list_set(const cora_multiprocessing_list *list,
                                                           ssize_t index, const void *value,
                                                           size_t size);

/* len(list). */
CORA_API CORA_MUST_CHECK ssize_t
cora_multiprocessing_list_len(const cora_multiprocessing_list *list);

CORA_END_DECLS

#endif
