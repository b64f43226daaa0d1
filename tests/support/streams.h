/*
 * streams.h: streams to test with. What is asserted here fails the test.
 */
#ifndef CORA_TEST_STREAMS_H
#define CORA_TEST_STREAMS_H

#include <cora.h>

cora_stream_reader *make_reader(ssize_t limit);
void feed(cora_stream_reader *reader, const char *text);

/*
 * Makes one call and traces (tests/support/virtual.h) what it gave, "'text'" or the name of its
 * error: "read 5", "all", "exactly 5", "line", "until AAA".
 */
void get(cora_stream_reader *reader, const char *what);

/* The same in a task, which has begun. For finish, or cancel and finish. */
cora_task *start_get(cora_stream_reader *reader, const char *what);
void finish(cora_task *task);
void cancel(cora_task *task);

/* Streams of a connected socket, which is theirs from now on. */
void open_streams(int fd, ssize_t limit, cora_stream_reader **ret_reader,
                  cora_stream_writer **ret_writer);

#endif
