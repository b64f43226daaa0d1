/*
 * chat_server.c: a chat server with rooms. Try it:  chat_server --serve 8888,  and  nc localhost
 * 8888
 *
 * What to notice: what the members share, the list of them, needs no lock: nobody is suspended
 * while he looks at it. A message is written to everybody without waiting for any of them, or one
 * who does not read would hold up his room; who has too much unread is thrown out instead. However
 * a member leaves, by /quit, by hanging up or by being thrown out, it is the same few lines at the
 * end of `attend` that tell the others. Without --serve three guests play a script, in the same
 * program.
 */
#include <cora.h>

#include <stdio.h>
#include <string.h>

/* ---- members and rooms --------------------------------------------------------------------- */

enum { NAME_SIZE = 20, LINE_SIZE = 400, MOST_UNREAD = 1 << 16 };

struct member {
    struct member *next;
    cora_stream_writer *writer;
    char name[NAME_SIZE];
    char room[NAME_SIZE]; /* "": in none */
};

struct chat {
    const char *port; /* to serve at; NULL: play the script */
    struct member *members;
    int guests; /* so many have come */
};

static void tell(const struct member *member, const char *text)
{
    cora_transport *transport = cora_stream_writer_get_transport(member->writer);

    if (cora_transport_get_write_buffer_size(transport) > MOST_UNREAD ||
        cora_stream_writer_printf(member->writer, "%s\n", text) < 0)
        cora_transport_abort(transport); /* his own task will notice */
}

static void tell_room(const struct chat *chat, const char *room, const char *text)
{
    for (const struct member *m = chat->members; m != NULL; m = m->next)
        if (strcmp(m->room, room) == 0)
            tell(m, text);
}

static void move(const struct chat *chat, struct member *member, const char *room)
{
    char text[64];

    if (member->room[0] != '\0') {
        snprintf(text, sizeof text, "* %s leaves %s", member->name, member->room);
        tell_room(chat, member->room, text);
    }
    snprintf(member->room, sizeof member->room, "%s", room);
    if (member->room[0] != '\0') {
        snprintf(text, sizeof text, "* %s enters %s", member->name, member->room);
        tell_room(chat, member->room, text);
    }
}

static void rename_member(const struct chat *chat, struct member *member, const char *name)
{
    char text[64];

    snprintf(text, sizeof text, "* %s is now %.*s", member->name, NAME_SIZE - 1, name);
    snprintf(member->name, sizeof member->name, "%s", name);
    tell_room(chat, member->room, text);
}

static void list_room(const struct chat *chat, const struct member *member)
{
    for (const struct member *m = chat->members; m != NULL; m = m->next)
        if (strcmp(m->room, member->room) == 0)
            tell(member, m->name);
}

/* ---- a member's task ----------------------------------------------------------------------- */

/* False: he wants to leave. */
static bool obey(const struct chat *chat, struct member *member, const char *line)
{
    char text[NAME_SIZE + 2 + LINE_SIZE];

    if (strcmp(line, "/quit") == 0)
        return false;
    if (strncmp(line, "/name ", 6) == 0 && line[6] != '\0') {
        rename_member(chat, member, line + 6);
    } else if (strncmp(line, "/join ", 6) == 0 && line[6] != '\0') {
        move(chat, member, line + 6);
    } else if (strcmp(line, "/who") == 0) {
        list_room(chat, member);
    } else if (line[0] == '/') {
        tell(member, "* there are /name NAME, /join ROOM, /who and /quit");
    } else if (line[0] != '\0') {
        snprintf(text, sizeof text, "%s: %s", member->name, line);
        tell_room(chat, member->room, text);
    }
    return true;
}

static CORA_SUSPENDS int listen_to(cora_stream_reader *reader, const struct chat *chat,
                                   struct member *member)
{
    ssize_t size;
    char *line;

    while ((size = cora_stream_reader_readline(reader, &line)) > 0) {
        if (line[size - 1] != '\n')
            return 0; /* he has hung up in the middle of it */
        line[size - 1] = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (!obey(chat, member, line))
            return 0;

        int rc = cora_stream_writer_drain(member->writer); /* who does not read shall not talk */

        if (rc < 0)
            return rc;
    }
    return (int)size;
}

static int attend(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    struct chat *chat = arg;
    struct member member = {.writer = writer};
    struct member **link = &chat->members;
    int rc;

    snprintf(member.name, sizeof member.name, "guest%d", ++chat->guests);
    while (*link != NULL)
        link = &(*link)->next;
    *link = &member;
    move(chat, &member, "lobby");

    rc = listen_to(reader, chat, &member);

    move(chat, &member, "");
    for (link = &chat->members; *link != &member;)
        link = &(*link)->next;
    *link = member.next;
    return rc == -ECANCELED ? rc : 0; /* a broken connection, an endless line: no fault of ours */
}

/* ---- the script ---------------------------------------------------------------------------- */

enum { GUESTS = 3 };

struct guest {
    const char *name;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
};

static const struct step {
    int who;
    const char *says;
    int hear[GUESTS]; /* how many lines each of them hears then */
} script[] = {
    {0, "/name Ada", {1, 1, 1}},  {1, "/name Bob", {1, 1, 1}},
    {2, "/name Cleo", {1, 1, 1}}, {0, "hello, all", {1, 1, 1}},
    {0, "/join tea", {2, 1, 1}},  {1, "/join tea", {1, 2, 1}},
    {1, "with milk?", {1, 1, 0}}, {2, "is anybody here?", {0, 0, 1}},
    {2, "/who", {0, 0, 1}},       {0, "/who", {2, 0, 0}},
    {2, "/dance", {0, 0, 1}},     {1, "/quit", {1, 1, 0}},
    {2, "/join tea", {1, 0, 2}},  {0, "/quit", {1, 0, 1}},
    {2, "/quit", {0, 0, 1}},
};

static CORA_SUSPENDS int hear(struct guest *guest, int lines)
{
    for (int i = 0; i < lines; i++) {
        char *line;
        ssize_t size = cora_stream_reader_readline(guest->reader, &line);

        if (size <= 0)
            return size < 0 ? (int)size : -CORA_EINCOMPLETEREAD;
        printf("    %s hears: %.*s", guest->name, (int)size, line);
    }
    return 0;
}

static CORA_SUSPENDS int enter(struct guest guests[], int count, const char *port)
{
    struct guest *guest = &guests[count];
    int rc = cora_open_connection("127.0.0.1", port, NULL, &guest->reader, &guest->writer);

    printf("%s comes in\n", guest->name);
    for (int i = 0; i <= count && rc == 0; i++)
        rc = hear(&guests[i], 1);
    return rc;
}

static CORA_SUSPENDS int say(struct guest guests[], const struct step *step)
{
    struct guest *guest = &guests[step->who];
    int rc = cora_stream_writer_printf(guest->writer, "%s\n", step->says);

    printf("%s says: %s\n", guest->name, step->says);
    for (int i = 0; i < GUESTS && rc == 0; i++)
        rc = hear(&guests[i], step->hear[i]);
    return rc;
}

static CORA_SUSPENDS int play(const char *port)
{
    struct guest guests[GUESTS] = {{.name = "A"}, {.name = "B"}, {.name = "C"}};
    int rc = 0;

    for (int i = 0; i < GUESTS && rc == 0; i++)
        rc = enter(guests, i, port);
    for (size_t i = 0; i < sizeof script / sizeof script[0] && rc == 0; i++)
        rc = say(guests, &script[i]);
    for (int i = 0; i < GUESTS; i++)
        cora_stream_writer_unref(guests[i].writer);
    return rc;
}

/* ---- the server ---------------------------------------------------------------------------- */

static CORA_SUSPENDS int play_with(cora_server *server)
{
    int number = cora_server_port(server), rc;
    char port[12];

    if (number < 0)
        return number;
    snprintf(port, sizeof port, "%d", number);
    rc = play(port);
    cora_server_close(server);
    return rc < 0 ? rc : cora_server_wait_closed(server);
}

static int serve(void *arg)
{
    struct chat *chat = arg;
    const char *port = chat->port == NULL ? "0" : chat->port;
    const cora_server_options options = {.limit = LINE_SIZE};
    cora_server *server;
    int rc = cora_start_server(attend, chat, "127.0.0.1", port, &options, &server);

    if (rc < 0)
        return rc;
    rc = chat->port == NULL ? play_with(server) : cora_server_serve_forever(server);
    cora_server_unref(server);
    return rc;
}

int main(int argc, char *argv[])
{
    struct chat chat = {.port = argc > 2 && strcmp(argv[1], "--serve") == 0 ? argv[2] : NULL};
    int rc = cora_run(serve, &chat);

    if (rc < 0 && rc != -EINTR) /* Ctrl-C */
        fprintf(stderr, "chat_server: %s\n", cora_strerror(rc));
    return rc < 0 && rc != -EINTR;
}
