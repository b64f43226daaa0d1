/*
 * writer.h: the thread that writes a trace.
 */
#ifndef CORA_TRACE_WRITER_H
#define CORA_TRACE_WRITER_H

struct cora__trace_writer;

/* Takes over the descriptor. 0; -ENOMEM; -EAGAIN: no thread. */
int cora__trace_writer_create(struct cora__trace_writer **ret, int fd);

/* No more is recorded: writes what there is, ends what is open, and frees it. 0, or the error of
 * writing. */
int cora__trace_writer_finish(struct cora__trace_writer *writer);

/* Around a fork: what the writer has is whole in the child, where it is then freed, without its
 * thread. */
void cora__trace_writer_before_fork(void);
void cora__trace_writer_after_fork(void);
void cora__trace_writer_forget(struct cora__trace_writer *writer);

#endif
