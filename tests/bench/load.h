/* Requests over several TLS connections, a blocking thread each, and what they took. For one file of a benchmark. */
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

#define CONNECTIONS_MAX 32

static SSL_CTX *client_tls;

static void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int64_t now_usec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static size_t number_at(const char *s)
{
    size_t n = 0;
    for (s += strspn(s, " \t/"); *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (size_t)(*s - '0');
    return n;
}

/* --- one connection, blocking --- */

struct answer {
    int code;
    size_t len; /* of the body */
};

struct conn {
    SSL *ssl;
    int fd;
    char head[16384];
};

static void conn_open(struct conn *c, const struct sockaddr_in *to)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        die("cannot connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->ssl = SSL_new(client_tls);
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_connect(c->ssl) != 1)
        die("TLS handshake");
}

static void conn_close(struct conn *c)
{
    SSL_free(c->ssl);
    close(c->fd);
}

/* Sends what is formatted; the body's length is its own. */
static void conn_send(struct conn *c, const char *method, const char *target, const char *type, const char *body)
{
    _cleanup_free_ char *text =
        xasprintf("%s %s HTTP/1.1\r\nHost: bench\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", method, target,
                  str_or(type, "application/json"), strlen(str_or(body, "")), str_or(body, ""));
    if (SSL_write(c->ssl, text, (int)strlen(text)) <= 0)
        die("write");
}

/* Reads head and body; the body is thrown away. */
static struct answer conn_read(struct conn *c)
{
    struct answer a = {0};
    size_t len = 0;
    char *end = NULL;
    while (!end) {
        int n = SSL_read(c->ssl, c->head + len, (int)(sizeof(c->head) - 1 - len));
        if (n <= 0)
            die("the server hung up");
        len += (size_t)n;
        c->head[len] = '\0';
        end = strstr(c->head, "\r\n\r\n");
    }
    const char *field = strcasestr(c->head, "\r\ncontent-length:");
    if (!field || field > end)
        die("an answer without Content-Length");
    a.code = atoi(c->head + strlen("HTTP/1.1 "));
    a.len = number_at(field + strlen("\r\ncontent-length:"));
    static __thread char sink[65536];
    for (size_t got = len - (size_t)(end + 4 - c->head); got < a.len;) {
        int n = SSL_read(c->ssl, sink, sizeof(sink));
        if (n <= 0)
            die("the server hung up");
        got += (size_t)n;
    }
    return a;
}

static struct answer ask(struct conn *c, const char *method, const char *target, const char *type, const char *body)
{
    conn_send(c, method, target, type, body);
    return conn_read(c);
}

/* --- many requests over several connections --- */

struct load {
    const struct sockaddr_in *to;
    /* One request; i counts over all connections. */
    struct answer (*request)(struct conn *c, int i);
    int connections, requests;
    int next;      /* atomic */
    int64_t *usec; /* of each request */
    size_t bytes;  /* of the last answer */
};

static void *load_thread(void *arg)
{
    struct load *l = arg;
    struct conn c;
    conn_open(&c, l->to);
    for (int i; (i = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED)) < l->requests;) {
        int64_t began = now_usec();
        struct answer a = l->request(&c, i);
        l->usec[i] = now_usec() - began;
        if (a.code >= 300) {
            fprintf(stderr, "bench: answer %d\n", a.code);
            exit(1);
        }
        l->bytes = a.len;
    }
    conn_close(&c);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct figures {
    double per_second, p50_ms, p99_ms;
    double server_usec; /* of processor time for each, all threads */
    size_t bytes;
};

static clockid_t server_clock; /* processor time of whom we measure */

static double server_used_usec(void)
{
    struct timespec t;
    clock_gettime(server_clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct figures run_load(struct load l)
{
    pthread_t threads[CONNECTIONS_MAX];
    l.usec = xcalloc((size_t)l.requests, sizeof(*l.usec));
    int64_t began = now_usec();
    double used = server_used_usec();
    for (int i = 0; i < l.connections; i++)
        pthread_create(&threads[i], NULL, load_thread, &l);
    for (int i = 0; i < l.connections; i++)
        pthread_join(threads[i], NULL);
    double seconds = (double)(now_usec() - began) / 1e6;
    qsort(l.usec, (size_t)l.requests, sizeof(*l.usec), by_size);
    struct figures f = {l.requests / seconds, (double)l.usec[l.requests / 2] / 1e3,
                        (double)l.usec[l.requests - 1 - l.requests / 100] / 1e3,
                        (server_used_usec() - used) / l.requests, l.bytes};
    free(l.usec);
    return f;
}
