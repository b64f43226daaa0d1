/*
 * faulty_server.h: an HTTP server whose paths are good bodies and bad manners, on the loopback, in
 * a thread and loop of its own.
 *
 *     /length /chunked /close /empty    good bodies, whose end is told in different ways
 *     /interim                          a good one, after a 100 Continue
 *     /short /cut-chunks                the connection is closed before the body's end
 *     /reset                            it is reset there
 *     /nothing                          it is closed without a reply
 *     /silent                           no reply, ever
 *     /drip                             a body of single bytes, without end
 *     /endless                          a body without end, as fast as it goes
 *     /huge                             a Content-Length of a terabyte
 *     /malformed /bad-chunk             no HTTP
 *     /fickle                           another body each time
 *     anything else                     404
 */
#ifndef FAULTY_SERVER_H
#define FAULTY_SERVER_H

#include <pthread.h>

struct faulty_server {
    int listener;
    unsigned port;
    int stop[2];
    int requests[2]; /* a pipe that gets a byte for each request */
    int served;
    pthread_t thread;
    int result;
};

/* They fail the test where they fail. */
void faulty_server_start(struct faulty_server *server);
void faulty_server_stop(struct faulty_server *server);

/* Waits until one more request has come. */
void faulty_server_await_request(struct faulty_server *server);

/* A socket on a port of the loopback; a port on which nobody listens refuses connections. */
int bind_loopback(unsigned *ret_port);

#endif
