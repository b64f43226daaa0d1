#include <cora/connection.h>

#include "socket_transport.h"

#include <errno.h>

int cora_connect_accepted_socket(cora_protocol_factory *factory, void *arg, int fd,
                                 cora_transport **ret)
{
    cora_transport *transport;
    cora_protocol *protocol;
    cora_waiter waiter;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    protocol = factory(arg);
    if (protocol == NULL)
        return -ENOMEM;
    cora_waiter_init(&waiter, "a connection", NULL);
    rc = cora__socket_transport_create(cora_get_running_loop(), fd, protocol, &waiter, &transport);
    if (rc < 0) {
        cora__protocol_lost(protocol, rc);
        return rc;
    }
    cora_transport_ref(transport);
    rc = cora__transport_wait_made(transport, &waiter);
    if (rc == 0 && ret != NULL)
        *ret = transport;
    else
        cora_transport_unref(transport);
    return rc;
}
