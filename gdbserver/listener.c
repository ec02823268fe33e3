/* SPDX-License-Identifier: MIT */
/* Listening; see the header. */
#include "gdbserver/listener.h"

#include "lmdb-store/scope.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What a signal removes: there is no other way to tell a handler. */
static char socket_path[sizeof((struct sockaddr_un *)0)->sun_path];
static char socket_directory[sizeof socket_path];

static void remove_socket(void)
{
    if (socket_path[0])
        unlink(socket_path);
    if (socket_directory[0])
        rmdir(socket_directory);
}

/* The processes that replay end with this one. */
static void end_by_signal(int signal)
{
    remove_socket();
    _exit(128 + signal);
}

static void watch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = end_by_signal}, before;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

static struct rrs_error *make_directory(void)
{
    const char *top = getenv("XDG_RUNTIME_DIR");
    char path[sizeof socket_directory];
    int length = snprintf(path, sizeof path, "%s/rrsoft-XXXXXX", top && *top == '/' ? top : "/tmp");
    if (length + sizeof "/gdb.sock" > sizeof path)
        return rrs_error_create(RRS_ERROR_USAGE, "$XDG_RUNTIME_DIR is too long for a socket");
    if (!mkdtemp(path)) /* mode 0700 */
        return rrs_error_os(errno, path, "cannot create a directory for the socket");
    snprintf(socket_directory, sizeof socket_directory, "%s", path);
    snprintf(socket_path, sizeof socket_path, "%.80s/gdb.sock", path);
    return NULL;
}

static struct rrs_error *choose_path(const char *path)
{
    if (!path)
        return make_directory();
    if (strlen(path) >= sizeof socket_path)
        return rrs_error_path(RRS_ERROR_USAGE, path, "too long for a Unix socket");
    snprintf(socket_path, sizeof socket_path, "%s", path);
    return NULL;
}

/* gdb takes a name with a '/' for a socket, and one without for a host. */
static void set_socket_address(struct listener *listener)
{
    snprintf(listener->address, sizeof listener->address, "%s%s",
             strchr(socket_path, '/') ? "" : "./", socket_path);
}

struct rrs_error *listener_open_socket(const char *path, struct listener *listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    RRS_TRY(choose_path(path));
    memcpy(address.sun_path, socket_path, sizeof socket_path);
    *listener = (struct listener){.is_private = true};
    set_socket_address(listener);
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return rrs_error_os(errno, NULL, "cannot create a socket");
    mode_t mask = umask(0177);
    int failed = bind(listener->fd, (struct sockaddr *)&address, sizeof address) < 0;
    int bind_errno = errno;
    umask(mask);
    if (failed) {
        socket_path[0] = '\0'; /* not ours */
        return rrs_error_os(bind_errno, address.sun_path, "cannot make a socket");
    }
    watch_signals();
    if (listen(listener->fd, 1) < 0)
        return rrs_error_os(errno, socket_path, "cannot listen");
    return NULL;
}

static struct rrs_error *split(const char *text, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(text, ':');
    *port = colon ? colon + 1 : text;
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') { /* [::1]:1234 */
        text++;
        length -= 2;
    }
    char *end;
    unsigned long number = strtoul(*port, &end, 10);
    if (!**port || *end || **port == '-' || number > 65535 || length >= size)
        return rrs_error_create(RRS_ERROR_USAGE, "'%s' is not [HOST:]PORT", text);
    snprintf(host, size, "%.*s", (int)length, text);
    return NULL;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static struct rrs_error *listen_at(const struct addrinfo *info, struct listener *listener)
{
    int one = 1;
    _cleanup_close_ int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return rrs_error_os(errno, NULL, "cannot create a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, 1) < 0)
        return rrs_error_os(errno, NULL, "cannot listen");
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[128], port[16];
    if (getsockname(fd, (struct sockaddr *)&bound, &length) < 0 ||
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return rrs_error_os(errno, NULL, "cannot tell the address");
    bool has_colons = strchr(host, ':');
    snprintf(listener->address, sizeof listener->address, "%s%s%s:%s", has_colons ? "[" : "", host,
             has_colons ? "]" : "", port);
    listener->is_private = is_loopback((struct sockaddr *)&bound);
    listener->fd = rrs_steal_fd(&fd);
    return NULL;
}

struct rrs_error *listener_open_tcp(const char *text, struct listener *listener)
{
    char host[256];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *info;
    *listener = (struct listener){.fd = -1};
    RRS_TRY(split(text, host, sizeof host, &port));
    int failure = getaddrinfo(*host ? host : "127.0.0.1", port, &hints, &info);
    if (failure)
        return rrs_error_create(RRS_ERROR_USAGE, "%s: %s", host, gai_strerror(failure));
    struct rrs_error *error = listen_at(info, listener);
    freeaddrinfo(info);
    return error;
}

struct rrs_error *listener_accept(struct listener *listener, int *fd)
{
    int one = 1;
    do
        *fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    while (*fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (*fd < 0)
        return rrs_error_os(errno, listener->address, "cannot accept a connection");
    setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* a Unix socket has none */
    return NULL;
}

void listener_close(struct listener *listener)
{
    close(listener->fd);
    remove_socket();
    socket_path[0] = socket_directory[0] = '\0';
}
