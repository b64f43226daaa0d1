/*
 * contextvars.h: variables whose value belongs to the running task, after Python's module of the
 * same name. A task starts with a copy of its creator's values; what it sets nobody else sees.
 *
 *     static cora_context_var request_id = CORA_CONTEXT_VAR_INIT("request_id", NULL);
 *
 *     rc = cora_context_var_set(&request_id, id, NULL);
 *     ... cora_context_var_get(&request_id) ...         // from any depth of calls in this task
 *
 * Values are borrowed pointers: they must stay valid as long as a context that holds them.
 */
#ifndef CORA_CONTEXTVARS_H
#define CORA_CONTEXTVARS_H

#include <cora/base.h>

CORA_BEGIN_DECLS

/* contextvars.ContextVar: declare it static; its address is its identity. */
typedef struct cora_context_var {
    const char *name;
    void *default_value;
} cora_context_var;

#define CORA_CONTEXT_VAR_INIT(name, default_value)                                                 \
    {                                                                                              \
        (name), (default_value)                                                                    \
    }

/* contextvars.Context: the values that one task, callback or thread sees. */
typedef struct cora_context cora_context;

/* contextvars.Token: what a variable was before a set. Its members are private. */
typedef struct cora_context_token {
    const cora_context_var *var;
    cora_context *context;
    void *old_value;
    bool was_set;
} cora_context_token;

/* The variable's value in the current context, or its default. */
CORA_API void *cora_context_var_get(const cora_context_var *var);

/*
 * Sets the variable in the current context. *ret_token (NULL: not wanted) serves to reset it once.
 * 0 or -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_context_var_set(const cora_context_var *var, void *value,
                                                  cora_context_token *ret_token);

/*
 * Gives the variable the value it had before the set that made `token`. 0; -EINVAL where the token
 * was made in another context or for another variable, or has been used.
 */
CORA_API CORA_MUST_CHECK int cora_context_var_reset(const cora_context_var *var,
                                                    cora_context_token *token);

/* copy_context(): a copy of the current context; NULL without memory. Give it back by _unref. */
CORA_API CORA_MUST_CHECK cora_context *cora_copy_context(void);

/* One more reference, returned for convenience; NULL is accepted. */
CORA_API cora_context *cora_context_ref(cora_context *context);

/* Gives a reference back; NULL is accepted. */
CORA_API void cora_context_unref(cora_context *context);

/*
 * Context.run(): calls fn(arg) with `context` current and returns what it returns; -EBUSY where the
 * context is entered already, in whichever thread; -ENOMEM for NULL, as cora_copy_context and
 * cora_task_get_context give it without memory. `fn` must not be left by other means than its
 * return.
 */
CORA_API CORA_MUST_CHECK int cora_context_run(cora_context *context, int (*fn)(void *arg),
                                              void *arg);

CORA_END_DECLS

#endif
