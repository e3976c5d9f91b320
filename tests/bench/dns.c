/* Cluster DNS over real sockets: `serve IP PORT SERVICES` answers from a model of so many Services, `ask IP PORT
 * QUESTION SERVICES MS` asks any server and prints answers, median and 99th percentile of microseconds, wrong and lost
 * ones. dns.py puts servers side by side. */
#include <arpa/inet.h>
#include <libknot/dname.h>
#include <libknot/packet/wire.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/rand.h"
#include "base/str.h"
#include "dns/dns.h"
#include "json/json.h"

/* --- the server --- */

static void add_service(struct model *m, int i)
{
    char name[16], ip[32];
    snprintf(name, sizeof(name), "svc-%d", i);
    snprintf(ip, sizeof(ip), "10.97.%d.%d", i / 250, 1 + i % 250);
    json_t *doc = json_pack("{s:{s:s, s:s}, s:{s:s, s:[s], s:[{s:s, s:i, s:s}]}}", "metadata", "name", name,
                            "namespace", "default", "spec", "clusterIP", ip, "clusterIPs", ip, "ports", "name", "http",
                            "port", 80, "protocol", "TCP");
    model_set_service(m, "default", name, doc);
    json_decref(doc);
}

static int serve(const char *ip, int port, int n)
{
    uv_loop_t loop;
    struct err err;
    struct model *m = model_new();
    static const char *const nobody[] = {"127.0.0.0", NULL};
    const struct dns_config config = {.netns_fd = -1,
                                      .ips = ip,
                                      .domain = "cluster.local",
                                      .port = port,
                                      .upstream_netns_fd = -1,
                                      .upstreams = nobody};
    uv_loop_init(&loop);
    model_set_namespace(m, "default", true);
    for (int i = 0; i < n; i++)
        add_service(m, i);
    if (!dns_new(&loop, m, &config, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    return uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- the client: always WINDOW questions on their way --- */

#define WINDOW 64
#define SAMPLES_MAX 4000000
#define LOST_MS 200 /* then they are asked again */
#define TYPE_A 1
#define TYPE_SRV 33

static const struct question {
    const char *name, *prefix;
    uint16_t type;
    uint32_t different; /* so many names; 0: as many as Services */
} questions[] = {{"A", "svc-", TYPE_A, 0},
                 {"SRV", "_http._tcp.svc-", TYPE_SRV, 0},
                 {"NXDOMAIN", "missing-", TYPE_A, 100},
                 {"NXDOMAIN-new", "new-", TYPE_A, UINT32_MAX}};

struct client {
    int fd;
    const struct question *question;
    uint32_t n_names;
    uint16_t sent; /* id of the next question; its slot is the remainder */
    int64_t sent_at[WINDOW];
    uint16_t ids[WINDOW];
    uint32_t *latencies;
    size_t answers, lost, wrong;
};

static int64_t now_usec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void ask_one(struct client *c, int slot)
{
    static const uint8_t header[12] = {0, 0, 1, 0, 0, 1};
    uint8_t query[300];
    char name[128];
    snprintf(name, sizeof(name), "%s%u.default.svc.cluster.local.", c->question->prefix, rand_below(c->n_names));
    memcpy(query, header, sizeof(header));
    c->ids[slot] = (uint16_t)(c->sent++ / WINDOW * WINDOW + slot);
    knot_wire_set_id(query, c->ids[slot]);
    knot_dname_from_str(query + 12, name, 255);
    size_t at = 12 + knot_dname_size(query + 12);
    memcpy(query + at, (uint8_t[]){0, (uint8_t)c->question->type, 0, 1}, 4);
    c->sent_at[slot] = now_usec();
    (void)!send(c->fd, query, at + 4, 0);
}

static void take_answers(struct client *c)
{
    uint8_t reply[4096];
    for (ssize_t n; (n = recv(c->fd, reply, sizeof(reply), MSG_DONTWAIT)) >= 12;) {
        int slot = knot_wire_get_id(reply) % WINDOW;
        if (knot_wire_get_id(reply) != c->ids[slot])
            continue;
        bool negative = c->question->different > 0;
        c->wrong += knot_wire_get_rcode(reply) != (negative ? 3 : 0) || !knot_wire_get_ancount(reply) != negative;
        if (c->answers < SAMPLES_MAX)
            c->latencies[c->answers++] = (uint32_t)(now_usec() - c->sent_at[slot]);
        ask_one(c, slot);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int ask(const char *ip, int port, const char *kind, int n_services, int ms)
{
    struct sockaddr_in addr;
    struct client c = {.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), .latencies = calloc(SAMPLES_MAX, 4)};
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        if (streq(questions[i].name, kind))
            c.question = &questions[i];
    uv_ip4_addr(ip, port, &addr);
    if (!c.question || connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return 1;
    c.n_names = c.question->different ? c.question->different : (uint32_t)n_services;
    int64_t end = now_usec() + (int64_t)ms * 1000;
    for (int slot = 0; slot < WINDOW; slot++)
        ask_one(&c, slot);
    while (now_usec() < end) {
        struct pollfd wait = {.fd = c.fd, .events = POLLIN};
        if (poll(&wait, 1, LOST_MS) == 1) {
            take_answers(&c);
            continue;
        }
        c.lost += WINDOW;
        for (int slot = 0; slot < WINDOW; slot++)
            ask_one(&c, slot);
    }
    qsort(c.latencies, c.answers, sizeof(*c.latencies), compare);
    if (!c.answers)
        return 1;
    printf("%zu %u %u %zu %zu\n", c.answers, c.latencies[c.answers / 2], c.latencies[c.answers * 99 / 100], c.wrong,
           c.lost);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && streq(argv[1], "serve"))
        return serve(argv[2], atoi(argv[3]), atoi(argv[4]));
    if (argc == 7 && streq(argv[1], "ask"))
        return ask(argv[2], atoi(argv[3]), argv[4], atoi(argv[5]), atoi(argv[6]));
    fputs("dns serve IP PORT SERVICES | ask IP PORT QUESTION SERVICES MS\n", stderr);
    return 2;
}
