#include <cora/pipe.h>

#include "pipe_transport.h"

int cora_connect_read_pipe(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret)
{
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    return cora__transport_establish(cora__read_pipe_transport_create, factory, arg, fd, ret);
}

int cora_connect_write_pipe(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret)
{
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    return cora__transport_establish(cora__write_pipe_transport_create, factory, arg, fd, ret);
}
