/* CPython's test_pep492.py: what `async for` and `async with` run over. */
#include "support/streams.h"
#include "support/test.h"
#include "support/virtual.h"

static int reads_lines(void *arg)
{
    cora_stream_reader *stream = make_reader(CORA_STREAM_LIMIT);
    char *line;
    ssize_t size;

    (void)arg;
    feed(stream, "line1\nline2\nline3");
    cora_stream_reader_feed_eof(stream);
    while ((size = cora_stream_reader_readline(stream, &line)) > 0)
        trace("'%.*s'", (int)size, line);
    cora_stream_reader_unref(stream);
    return (int)size;
}

TEST(StreamReaderTests_test_readline)
{
    assert_int_equal(run_virtual(reads_lines, NULL), 0);
    assert_string_equal(trace_text, "'line1\n' 'line2\n' 'line3' ");
}
