/*
 * server.h: making a server, socket by socket, and its transports' part in it.
 */
#ifndef CORA_STDLIB_SERVER_H
#define CORA_STDLIB_SERVER_H

#include <cora/server.h>
#include <cora/transport.h>

/*
 * A server with room for so many sockets, and one reference to it. `options` are never NULL here.
 * 0, -ENOMEM, -CORA_ECLOSED, -CORA_ENOTASK; -EINVAL and -EOPNOTSUPP for its ssl.
 */
int cora__server_new(cora_protocol_factory *factory, void *arg, const cora_server_options *options,
                     size_t room, cora_server **ret);

/* What the factory's argument points to, from malloc: it goes with the server. */
void cora__server_keep(cora_server *server, void *memory);

/* A socket that is to listen, the server's from then on. 0, -EBADF, -EBUSY, -ENOMEM: it is not. */
int cora__server_add(cora_server *server, int fd);

/* The file of this Unix socket is to be removed at the end. */
void cora__server_add_file(cora_server *server, int fd);

/*
 * Starts serving, unless the options have it start later. 0: *ret has the reference. What listen(2)
 * says, with the address in the options; -ECANCELED: all is closed.
 */
int cora__server_begin(cora_server *server, const cora_server_options *options, cora_server **ret);

/* Instead, or after a failure: the reference is given back, and the sockets are if not closed. */
void cora__server_drop(cora_server *server, bool close_sockets);

/* The transport of a connection is the server's; when it is lost it is no longer. */
void cora__server_attach(cora_server *server, cora_transport *transport);
void cora__server_detach(cora_transport *transport);

#endif
