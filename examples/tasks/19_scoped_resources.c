/*
 * 19_scoped_resources.c: what is entered is left again, whatever happens: C's `async with`.
 *
 * What to notice: a scope is a pair of functions, and `rc` goes through it: the exit takes how the
 * body ended, and returns how it now stands, so it may commit or roll back, and fail itself without
 * hiding the first error. cora_timeout and cora_task_group are made the same way. The exit may
 * wait, also after a cancellation: that is delivered once. Between enter and exit nothing returns;
 * each step is taken only `if (rc == 0)`. Scopes that nest are left in the reverse order.
 */
#include <cora.h>

#include <stdio.h>
#include <string.h>

struct database {
    char rows[64];
};

struct transaction {
    struct database *database;
    char rows[64]; /* as they will be */
};

static CORA_SUSPENDS int transaction_enter(struct transaction *self, struct database *database)
{
    self->database = database;
    printf("  begin\n");
    memcpy(self->rows, database->rows, sizeof self->rows);
    return cora_sleep(0.01);
}

static CORA_SUSPENDS int transaction_exit(struct transaction *self, int rc)
{
    int closed = cora_sleep(0.01);

    if (rc == 0 && closed == 0) {
        memcpy(self->database->rows, self->rows, sizeof self->rows);
        printf("  commit\n");
    } else {
        printf("  roll back\n");
    }
    return rc < 0 ? rc : closed;
}

static CORA_SUSPENDS int transaction_insert(struct transaction *self, const char *row, double delay)
{
    int rc = cora_sleep(delay);
    size_t used = strlen(self->rows);

    if (rc < 0)
        return rc;
    if (used + strlen(row) >= sizeof self->rows)
        return -ENOSPC;
    snprintf(self->rows + used, sizeof self->rows - used, "%s", row);
    printf("  insert%s\n", row);
    return 0;
}

struct book_args {
    struct database *database;
    const char *traveller;
    double delay;            /* of the hotel */
    cora_event *hotel_asked; /* set then */
};

static int book(void *arg)
{
    struct book_args *a = arg;
    struct transaction transaction;
    int rc;

    printf("%s:\n", a->traveller);
    rc = transaction_enter(&transaction, a->database);
    if (rc < 0)
        return rc;
    rc = transaction_insert(&transaction, " flight", 0.01);
    cora_event_set(a->hotel_asked);
    if (rc == 0)
        rc = transaction_insert(&transaction, " hotel", a->delay);
    return transaction_exit(&transaction, rc);
}

static int travel_agency(void *arg)
{
    struct database database = {""};
    cora_event hotel_asked = CORA_EVENT_INIT;
    cora_task_group group;
    cora_task *booking;
    int rc;

    (void)arg;
    rc = book(&(struct book_args){&database, "Ada", 0.01, &hotel_asked});
    if (rc < 0)
        return rc;
    printf("booked:%s\n", database.rows);

    cora_event_clear(&hotel_asked);
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_with(&group, NULL, &booking, book, .database = &database,
                                          .traveller = "Bob", .delay = 10,
                                          .hotel_asked = &hotel_asked);
    if (rc == 0)
        rc = cora_event_wait(&hotel_asked);
    if (rc == 0) {
        cora_task_cancel(booking);
        printf("  Bob has changed his mind\n");
    }
    rc = cora_task_group_exit(&group, rc);
    printf("booked:%s\n", database.rows);
    return rc;
}

int main(void)
{
    int rc = cora_run(travel_agency, NULL);

    if (rc < 0)
        fprintf(stderr, "19_scoped_resources: %s\n", cora_strerror(rc));
    return rc < 0;
}
