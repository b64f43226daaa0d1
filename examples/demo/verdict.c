#include "verdict.h"

#include <cora/error.h>

#include <stdio.h>
#include <string.h>

bool arrived(const struct run *run, size_t index)
{
    const struct outcome *outcome = &run->report->outcomes[index];

    return outcome->ended && outcome->reason[0] == '\0';
}

size_t count_arrived(const struct run *run, size_t *ret_bytes)
{
    size_t count = 0, bytes = 0;

    for (size_t i = 0; i < run->count; i++) {
        if (arrived(run, i)) {
            count++;
            bytes += run->report->outcomes[i].length;
        }
    }
    *ret_bytes = bytes;
    return count;
}

/* Whether the file's bytes are those that the first way to get it has got. */
static bool is_same(const struct run runs[], const struct outcome *outcome, size_t index)
{
    while (!arrived(runs, index))
        runs++;

    const struct outcome *first = &runs->report->outcomes[index];

    return first->length == outcome->length && first->hash == outcome->hash;
}

/* Why the file failed in this way, or NULL. One with a source has been compared with that. */
static const char *failure(const struct run runs[], size_t way, const struct file *file,
                           size_t index)
{
    const struct outcome *outcome = &runs[way].report->outcomes[index];

    if (!outcome->ended)
        return "the way ended before the file did";
    if (outcome->reason[0] != '\0')
        return outcome->reason;
    if (file->source == NULL && !is_same(runs, outcome, index))
        return "its bytes differ from one way to another";
    return NULL;
}

/* One line for the file, if there is anything to say; where only some ways failed, it names them.
 */
static bool tell_file(const struct run runs[], size_t run_count, const struct file *file,
                      size_t index)
{
    const char *reason = NULL;
    char ways[256] = "";
    size_t failed = 0, used = 0;

    for (size_t way = 0; way < run_count; way++) {
        const char *why = failure(runs, way, file, index);

        if (why == NULL)
            continue;
        if (reason == NULL)
            reason = why;
        failed++;
        if (used < sizeof ways)
            used += (size_t)snprintf(ways + used, sizeof ways - used, "%s%s", used > 0 ? ", " : "",
                                     runs[way].name);
    }
    if (failed == run_count)
        fprintf(stderr, "demo: %s: %s\n", file->url.text, reason);
    else if (failed > 0)
        fprintf(stderr, "demo: %s: %s (only in: %s)\n", file->url.text, reason, ways);
    return failed > 0;
}

static bool tell_run(const struct run *run)
{
    if (run->killed_by != 0)
        fprintf(stderr, "demo: '%s' was ended by a signal: %s\n", run->name,
                strsignal(run->killed_by));
    else if (run->exit_status != 0 || !run->report->ended)
        fprintf(stderr, "demo: the process of '%s' ended with status %d\n", run->name,
                run->exit_status);
    else if (run->report->error < 0)
        fprintf(stderr, "demo: '%s' failed: %s\n", run->name, cora_strerror(run->report->error));
    else
        return false;
    return true;
}

size_t tell_failures(const struct run runs[], size_t run_count, const struct file files[])
{
    size_t lines = 0;

    for (size_t i = 0; i < run_count; i++)
        lines += tell_run(&runs[i]);
    for (size_t i = 0; i < runs[0].count; i++)
        lines += tell_file(runs, run_count, &files[i], i);
    return lines;
}
