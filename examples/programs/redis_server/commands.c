/*
 * commands.c: a function for each command. What to notice: none of them suspends, so each is
 * atomic, as Redis's are and for the same reason: there is one thread, and it finishes what it has
 * begun.
 */
#include "commands.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct call {
    struct store *store;
    const struct word *words; /* the command's name is the first */
    int count;
    FILE *out;
};

static const char *const no_memory = "OOM out of memory";
static const char *const not_integer = "ERR value is not an integer or out of range";
static const char *const wrong_type =
    "WRONGTYPE Operation against a key holding the wrong kind of value";

/* ---- words and replies --------------------------------------------------------------------- */

static bool is(struct word word, const char *text)
{
    return word.size == strlen(text) && strncasecmp(word.data, text, word.size) == 0;
}

static bool to_integer(struct word word, long *ret)
{
    char digits[24], *end;

    if (word.size == 0 || word.size >= sizeof digits || isspace((unsigned char)*word.data))
        return false;
    memcpy(digits, word.data, word.size);
    digits[word.size] = '\0';
    errno = 0;
    *ret = strtol(digits, &end, 10);
    return errno == 0 && end == digits + word.size;
}

static void reply_error(const struct call *call, const char *text)
{
    fprintf(call->out, "-%s\r\n", text);
}

static void reply_integer(const struct call *call, long number)
{
    fprintf(call->out, ":%ld\r\n", number);
}

static void reply_bulk(const struct call *call, const char *data, size_t size)
{
    fprintf(call->out, "$%zu\r\n", size);
    fwrite(data, 1, size, call->out);
    fputs("\r\n", call->out);
}

static void reply_nothing(const struct call *call)
{
    fputs("$-1\r\n", call->out);
}

static void reply_ok(const struct call *call)
{
    fputs("+OK\r\n", call->out);
}

/* True: in *ret is what the key has, of that type, or NULL. Else the reply is given. */
static bool look_up(const struct call *call, bool is_list, struct record **ret)
{
    *ret = store_find(call->store, call->words[1]);
    if (*ret == NULL || (*ret)->is_list == is_list)
        return true;
    reply_error(call, wrong_type);
    return false;
}

/* ---- commands ------------------------------------------------------------------------------ */

static void ping(const struct call *call)
{
    if (call->count == 1)
        fputs("+PONG\r\n", call->out);
    else
        reply_bulk(call, call->words[1].data, call->words[1].size);
}

/* SET key value [NX] [EX seconds | PX milliseconds] */
static void set(const struct call *call)
{
    bool only_new = false;
    double seconds = INFINITY;

    for (int i = 3; i < call->count; i++) {
        struct word option = call->words[i];
        long number;

        if (is(option, "NX")) {
            only_new = true;
        } else if ((is(option, "EX") || is(option, "PX")) && i + 1 < call->count) {
            if (!to_integer(call->words[++i], &number))
                return reply_error(call, not_integer);
            if (number <= 0)
                return reply_error(call, "ERR invalid expire time in 'set' command");
            seconds = is(option, "EX") ? (double)number : (double)number / 1000;
        } else {
            return reply_error(call, "ERR syntax error");
        }
    }
    if (only_new && store_find(call->store, call->words[1]) != NULL)
        return reply_nothing(call);

    struct record *record = store_set(call->store, call->words[1], call->words[2]);

    if (record != NULL && !store_expire(record, seconds)) {
        store_discard(record);
        record = NULL;
    }
    if (record == NULL)
        reply_error(call, no_memory);
    else
        reply_ok(call);
}

static void get(const struct call *call)
{
    struct record *record;

    if (!look_up(call, false, &record))
        return;
    if (record == NULL)
        reply_nothing(call);
    else
        reply_bulk(call, TAILQ_FIRST(&record->items)->data, TAILQ_FIRST(&record->items)->size);
}

static void del(const struct call *call)
{
    long count = 0;

    for (int i = 1; i < call->count; i++) {
        struct record *record = store_find(call->store, call->words[i]);

        if (record == NULL)
            continue;
        store_discard(record);
        count++;
    }
    reply_integer(call, count);
}

static void exists(const struct call *call)
{
    long count = 0;

    for (int i = 1; i < call->count; i++)
        count += store_find(call->store, call->words[i]) != NULL;
    reply_integer(call, count);
}

/* An expiry stays. */
static void increase(const struct call *call, long by)
{
    struct record *record;
    char digits[24];
    long number = 0;

    if (!look_up(call, false, &record))
        return;
    if (record != NULL) {
        struct item *item = TAILQ_FIRST(&record->items);

        if (!to_integer((struct word){item->data, item->size}, &number))
            return reply_error(call, not_integer);
    }
    if (__builtin_add_overflow(number, by, &number))
        return reply_error(call, "ERR increment or decrement would overflow");

    int size = snprintf(digits, sizeof digits, "%ld", number);

    if (store_set(call->store, call->words[1], (struct word){digits, (size_t)size}) == NULL)
        reply_error(call, no_memory);
    else
        reply_integer(call, number);
}

static void incr(const struct call *call)
{
    increase(call, 1);
}

static void decr(const struct call *call)
{
    increase(call, -1);
}

static void push(const struct call *call, bool left)
{
    struct record *record;

    if (!look_up(call, true, &record))
        return;
    for (int i = 2; i < call->count; i++) {
        struct record *list = store_push(call->store, record, call->words[1], call->words[i], left);

        if (list == NULL)
            return reply_error(call, no_memory);
        record = list;
    }
    reply_integer(call, record->length);
}

static void lpush(const struct call *call)
{
    push(call, true);
}

static void rpush(const struct call *call)
{
    push(call, false);
}

static void pop(const struct call *call, bool left)
{
    struct record *record;
    struct item *item;

    if (!look_up(call, true, &record))
        return;
    if (record == NULL)
        return reply_nothing(call);
    item = left ? TAILQ_FIRST(&record->items) : TAILQ_LAST(&record->items, items);
    reply_bulk(call, item->data, item->size);
    store_pop(record, item);
}

static void lpop(const struct call *call)
{
    pop(call, true);
}

static void rpop(const struct call *call)
{
    pop(call, false);
}

/* LRANGE key first last: with both, and -1 is the last of all */
static void lrange(const struct call *call)
{
    struct record *record;
    struct item *item;
    long first, last, length, index = 0;

    if (!to_integer(call->words[2], &first) || !to_integer(call->words[3], &last))
        return reply_error(call, not_integer);
    if (!look_up(call, true, &record))
        return;
    length = record == NULL ? 0 : record->length;
    if (first < 0)
        first = first + length < 0 ? 0 : first + length;
    if (last < 0)
        last += length;
    if (last >= length)
        last = length - 1;
    fprintf(call->out, "*%ld\r\n", last < first ? 0 : last - first + 1);
    if (last < first)
        return;
    TAILQ_FOREACH(item, &record->items, link)
    {
        if (index >= first && index <= last)
            reply_bulk(call, item->data, item->size);
        index++;
    }
}

static void dbsize(const struct call *call)
{
    reply_integer(call, call->store->size);
}

static void flushall(const struct call *call)
{
    store_discard_all(call->store);
    reply_ok(call);
}

/* CONFIG GET name: redis-benchmark wants to know, and takes nothing for an answer. */
static void config(const struct call *call)
{
    if (!is(call->words[1], "GET"))
        return reply_error(call, "ERR unknown subcommand");
    fputs("*2\r\n", call->out);
    reply_bulk(call, call->words[2].data, call->words[2].size);
    reply_bulk(call, "", 0);
}

/* redis-cli asks for what it could help with. */
static void command(const struct call *call)
{
    fputs("*0\r\n", call->out);
}

/* ---- which is it? -------------------------------------------------------------------------- */

static const struct command {
    const char *name;
    int least, most; /* words */
    void (*execute)(const struct call *call);
} commands[] = {
    {"ping", 1, 2, ping},
    {"echo", 2, 2, ping},
    {"set", 3, MOST_WORDS, set},
    {"get", 2, 2, get},
    {"del", 2, MOST_WORDS, del},
    {"exists", 2, MOST_WORDS, exists},
    {"incr", 2, 2, incr},
    {"decr", 2, 2, decr},
    {"lpush", 3, MOST_WORDS, lpush},
    {"rpush", 3, MOST_WORDS, rpush},
    {"lpop", 2, 2, lpop},
    {"rpop", 2, 2, rpop},
    {"lrange", 4, 4, lrange},
    {"dbsize", 1, 1, dbsize},
    {"flushall", 1, 2, flushall},
    {"config", 3, 3, config},
    {"command", 1, MOST_WORDS, command},
    {"quit", 1, 1, reply_ok},
};

bool commands_execute(struct store *store, const struct request *request, FILE *out)
{
    const struct call call = {store, request->words, request->count, out};

    if (call.count == 0)
        return false; /* an empty line is not answered */
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *c = &commands[i];

        if (!is(call.words[0], c->name))
            continue;
        if (call.count >= c->least && call.count <= c->most)
            c->execute(&call);
        else
            fprintf(out, "-ERR wrong number of arguments for '%s' command\r\n", c->name);
        return c->execute == reply_ok;
    }
    reply_error(&call, "ERR unknown command");
    return false;
}
