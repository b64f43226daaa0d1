/*
 * 08_race.c: a race condition, and two ways to mend it.
 *
 * What to notice: tasks take turns only where one suspends, so there are no data races here, and
 * yet an update is lost: `deposit_racing` reads the balance, waits, and writes back what it has
 * computed from a value that is no longer true. Either nobody else may come between the reading and
 * the writing (a lock), or there is nothing to wait for between the two, which costs nothing.
 * Look for such places wherever a value from before a suspension is used after it.
 */
#include <cora.h>

#include <stdio.h>

struct account {
    int balance;
    cora_lock lock;
};

static int deposit_racing(void *arg)
{
    struct account *account = arg;
    int balance = account->balance; /* read */
    int rc = cora_sleep(0);         /* wait: the others read the same */

    if (rc < 0)
        return rc;
    account->balance = balance + 10; /* write */
    return 0;
}

static int deposit_locked(void *arg)
{
    struct account *account = arg;
    int rc = cora_lock_acquire(&account->lock);

    if (rc < 0)
        return rc;
    rc = deposit_racing(account);
    cora_lock_release(&account->lock);
    return rc;
}

static int deposit_at_once(void *arg)
{
    struct account *account = arg;
    int rc = cora_sleep(0); /* wait first */

    if (rc < 0)
        return rc;
    account->balance += 10; /* read and write */
    return 0;
}

static CORA_SUSPENDS int deposit_five_times(const char *how, cora_task_fn *deposit)
{
    struct account account = {0, CORA_LOCK_INIT};
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < 5 && rc == 0; i++)
        rc = cora_task_group_create_task_arg(&group, deposit, &account);
    rc = cora_task_group_exit(&group, rc);
    if (rc == 0)
        printf("%s: 5 times 10 make %d\n", how, account.balance);
    return rc;
}

static int bank(void *arg)
{
    int rc = deposit_five_times("with a race", deposit_racing);

    (void)arg;
    if (rc == 0)
        rc = deposit_five_times("with a lock", deposit_locked);
    if (rc == 0)
        rc = deposit_five_times("at once", deposit_at_once);
    return rc;
}

int main(void)
{
    int rc = cora_run(bank, NULL);

    if (rc < 0)
        fprintf(stderr, "08_race: %s\n", cora_strerror(rc));
    return rc < 0;
}
