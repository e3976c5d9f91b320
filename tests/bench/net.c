/* What a Service costs beside going straight to the pod, how long changes take to be programmed, and beside each the
 * same by others: nft's own command with the same rules, and an iptables chain as kube-proxy writes it. A node of its
 * own with two pods, in this network namespace; no cluster. Needs root.
 *
 * Usage: bench_net SCRATCH_DIR */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "json/json.h"
#include "podnet/podnet.h"
#include "proxy/proxy.h"
#include "net_policies.h"

#define NODE_IP "172.28.128.10"
#define PORT 8080      /* answers each byte with one, closes when the client does */
#define SINK_PORT 8081 /* reads */
#define ENDPOINTS 10
#define CHANGES 200
#define IP_SIZE 64
#define SECONDS 1.0 /* for each figure of the data path */

enum { CLIENT, SERVER, N_PODS };
static int pods[N_PODS];
static char pod_ips[N_PODS][64];
static pid_t server;
static uv_loop_t loop;
static const char *scratch;

static void die(const char *what)
{
    fprintf(stderr, "bench_net: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of this process, all its threads and the kernel on their behalf; or of programs that have ended. */
static double cpu(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int sh(const char *fmt, ...)
{
    char command[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    return system(command);
}

/* --- the server, a process of its own --- */

static int listening(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1024) < 0)
        die("server");
    return fd;
}

static void serve(uint16_t port)
{
    static char in[1 << 18];
    int listener = listening(port), one = 1;
    if (port == PORT)
        kill(getpid(), SIGSTOP); /* ready: the parent waits for it */
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        for (ssize_t n; (n = read(fd, in, sizeof(in))) > 0;)
            if (port == PORT && write(fd, in, (size_t)n) != n)
                break;
        close(fd);
    }
}

static void start_servers(void)
{
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setns(pods[SERVER], CLONE_NEWNET) < 0)
            _exit(1);
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(SINK_PORT);
        }
        serve(PORT);
    }
    int status;
    waitpid(server, &status, WUNTRACED);
    kill(server, SIGCONT);
}

/* --- the data path --- */

static int connected(const char *ip, uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    NETNS_SCOPE(pods[CLIENT]);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger at_once = {1, 0}; /* with a reset: no port is kept waiting */
    inet_pton(AF_INET, ip, &addr.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (int tries = 0; connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0; tries++)
        if (tries > 100)
            die("no connection");
    return fd;
}

static bool ping(int fd)
{
    char byte = 0;
    return write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1;
}

/* Connections with a question and its answer each, a second. */
static double connections(const char *ip, uint16_t port)
{
    double began = now();
    long n = 0;
    for (; now() - began < SECONDS; n++) {
        int fd = connected(ip, port);
        if (!ping(fd))
            die("no answer");
        close(fd);
    }
    return (double)n / (now() - began);
}

static double round_trips(const char *ip, uint16_t port)
{
    int fd = connected(ip, port);
    double began = now();
    long n = 0;
    while (now() - began < SECONDS && ping(fd))
        n++;
    double rate = (double)n / (now() - began);
    close(fd);
    return rate;
}

static double gigabytes(const char *ip, uint16_t port)
{
    static char out[1 << 18];
    int fd = connected(ip, port);
    double began = now(), sent = 0;
    for (ssize_t n; now() - began < SECONDS && (n = write(fd, out, sizeof(out))) > 0;)
        sent += (double)n;
    double rate = sent / (now() - began) / 1e9;
    close(fd);
    return rate;
}

struct path {
    double connections, round_trips, gigabytes;
};

/* Both ways in turns, so that whatever else the machine does meets both; the median of three. */
static int by_value(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static void compare(const char *name, const char *ip, uint16_t port, uint16_t sink)
{
    static const char *const what[] = {"new connections/s", "round trips/s", "GB/s in bulk"};
    static double (*const measure[])(const char *, uint16_t) = {connections, round_trips, gigabytes};
    printf("%-40s", name);
    for (size_t k = 0; k < ARRAY_LEN(measure); k++) {
        double direct[3], service[3];
        for (int i = 0; i < 3; i++) {
            direct[i] = measure[k](pod_ips[SERVER], k == 2 ? SINK_PORT : PORT);
            service[i] = measure[k](ip, k == 2 ? sink : port);
        }
        qsort(direct, 3, sizeof(double), by_value);
        qsort(service, 3, sizeof(double), by_value);
        printf("  %9.*f %s = %3.0f %%", k == 2 ? 2 : 0, service[1], what[k], 100 * service[1] / direct[1]);
    }
    printf("\n");
    fflush(stdout);
}

/* --- Services --- */

static void service_ip(int i, char out[IP_SIZE])
{
    snprintf(out, IP_SIZE, "10.97.%d.%d", i / 250, 1 + i % 250);
}

/* What the i-th Service leads to: the last one to our server, others to addresses where nobody is. */
static void endpoint_ip(int i, int n, int k, int generation, char out[64])
{
    if (i == n - 1)
        snprintf(out, 64, "%s", pod_ips[SERVER]);
    else
        snprintf(out, 64, "10.244.%d.%d", 1 + (i * ENDPOINTS + k) / 250 % 250,
                 1 + (i * ENDPOINTS + k + generation) % 250);
}

static void set_endpoints(struct model *m, int i, int n, int generation)
{
    char name[32], ip[64];
    snprintf(name, sizeof(name), "s%d", i);
    _cleanup_json_ json_t *slice = json_pack(
        "{s:{s:{s:s}}, s:s, s:[], s:[{s:s, s:i}, {s:s, s:i}]}", "metadata", "labels", "kubernetes.io/service-name",
        name, "addressType", "IPv4", "endpoints", "ports", "name", "a", "port", PORT, "name", "b", "port", SINK_PORT);
    for (int k = 0; k < (i == n - 1 ? 1 : ENDPOINTS); k++) {
        endpoint_ip(i, n, k, generation, ip);
        json_array_append_new(json_object_get(slice, "endpoints"),
                              json_pack("{s:[s], s:s}", "addresses", ip, "nodeName", "n2"));
    }
    model_set_slice(m, "d", name, slice);
}

/* One port each, so that there are as many endpoints as Services times ENDPOINTS; the last one has a second for bulk.
 */
static struct model *make_model(int n)
{
    struct model *m = model_new();
    for (int i = 0; i < n; i++) {
        char name[32], ip[IP_SIZE];
        snprintf(name, sizeof(name), "s%d", i);
        service_ip(i, ip);
        _cleanup_json_ json_t *s =
            json_pack("{s:{s:s, s:[{s:s, s:i}]}}", "spec", "clusterIP", ip, "ports", "name", "a", "port", 80);
        if (i == n - 1)
            json_array_append_new(jget(s, "spec.ports"), json_pack("{s:s, s:i}", "name", "b", "port", 81));
        model_set_service(m, "d", name, s);
        set_endpoints(m, i, n, 0);
    }
    return m;
}

static void settle(const struct proxy *p)
{
    while (!proxy_settled(p))
        uv_run(&loop, UV_RUN_ONCE);
}

static void measure_changes(struct proxy *p, struct model *m, int n)
{
    double took[CHANGES];
    for (int i = 0; i < CHANGES; i++) {
        double began = now();
        set_endpoints(m, i * (n / CHANGES), n, 1);
        uv_run(&loop, UV_RUN_NOWAIT); /* the model tells, the proxy begins */
        settle(p);
        took[i] = now() - began;
    }
    qsort(took, CHANGES, sizeof(double), by_value);
    printf("%-40s  median %.2f ms, p99 %.2f ms\n", "  one endpoint changed", took[CHANGES / 2] * 1000,
           took[CHANGES * 99 / 100] * 1000);
}

/* Runs a command and says what it took; false when it failed. */
static bool timed(const char *command)
{
    double began = now(), cpu_began = cpu(RUSAGE_CHILDREN);
    bool good = sh("%s", command) == 0;
    if (good)
        printf("loaded in %.2f s, CPU %.2f s\n", now() - began, cpu(RUSAGE_CHILDREN) - cpu_began);
    else
        printf("not loaded within two minutes\n");
    return good;
}

static void bench_services(int n)
{
    const struct proxy_config config = {.netns_fd = -1,
                                        .node_name = "n1",
                                        .node_ip = NODE_IP,
                                        .cluster_cidr = "10.244.0.0/16",
                                        .service_cidr = "10.96.0.0/12"};
    char name[64], ip[IP_SIZE];
    struct err err;
    struct model *m = make_model(n);
    double began = now(), cpu_began = cpu(RUSAGE_SELF);
    struct proxy *p = proxy_new(&loop, m, &config, &err);
    if (!p)
        die(err.msg);
    settle(p);
    snprintf(name, sizeof(name), "c8s, %d Services x %d", n, ENDPOINTS);
    printf("%-40s  programmed from nothing in %.2f s, CPU %.2f s\n", name, now() - began, cpu(RUSAGE_SELF) - cpu_began);
    if (n >= CHANGES)
        measure_changes(p, m, n);
    service_ip(n - 1, ip);
    compare("  through the Service", ip, 80, 81);
    proxy_free(p);
    uv_run(&loop, UV_RUN_DEFAULT);
    model_free(m);
    if (n > 1 && sh("nft list table ip c8s > %s/rules.nft && nft delete table ip c8s", scratch) == 0) {
        _cleanup_free_ char *load = xasprintf("timeout 120 nft -f %s/rules.nft", scratch);
        printf("%-40s  ", "  the same rules by the nft command");
        timed(load);
    }
    proxy_teardown(-1);
}

/* --- iptables, as kube-proxy writes it --- */

static void write_chains(FILE *f, int i, int n)
{
    int count = i == n - 1 ? 1 : ENDPOINTS;
    for (int k = 0; k < count; k++)
        fprintf(f, ":SEP-%d-%d - [0:0]\n", i, k);
    fprintf(f, ":SVC-%d - [0:0]\n", i);
}

static void write_rules(FILE *f, int i, int n, int port, int target)
{
    char ip[IP_SIZE], to[64];
    int count = i == n - 1 ? 1 : ENDPOINTS;
    service_ip(i, ip);
    fprintf(f, "-A SERVICES -d %s/32 -p tcp -m tcp --dport %d -j SVC-%d\n", ip, port, i);
    for (int k = 0; k < count; k++) {
        endpoint_ip(i, n, k, 0, to);
        if (k < count - 1)
            fprintf(f, "-A SVC-%d -m statistic --mode random --probability %.10f -j SEP-%d-%d\n", i, 1.0 / (count - k),
                    i, k);
        else
            fprintf(f, "-A SVC-%d -j SEP-%d-%d\n", i, i, k);
        fprintf(f, "-A SEP-%d-%d -s %s/32 -j MARK --set-xmark 0x4000/0x4000\n", i, k, to);
        fprintf(f, "-A SEP-%d-%d -p tcp -m tcp -j DNAT --to-destination %s:%d\n", i, k, to, target);
    }
}

/* The last Service is the last rule, as somebody's must be. */
static void bench_iptables(int n)
{
    char name[64], ip[IP_SIZE];
    _cleanup_free_ char *path = xasprintf("%s/iptables", scratch);
    _cleanup_free_ char *load = xasprintf("timeout 120 iptables-restore %s", path);
    FILE *f = fopen(path, "we");
    fprintf(f, "*nat\n:SERVICES - [0:0]\n:MASQ - [0:0]\n:SVC-bulk - [0:0]\n:SEP-bulk - [0:0]\n");
    for (int i = 0; i < n; i++)
        write_chains(f, i, n);
    fprintf(f, "-A PREROUTING -j SERVICES\n-A OUTPUT -j SERVICES\n-A POSTROUTING -m mark --mark 0x4000/0x4000 -j "
               "MASQUERADE\n");
    for (int i = 0; i < n; i++)
        write_rules(f, i, n, 80, PORT);
    service_ip(n - 1, ip);
    fprintf(f, "-A SERVICES -d %s/32 -p tcp -m tcp --dport 81 -j SVC-bulk\n-A SVC-bulk -j SEP-bulk\n", ip);
    fprintf(f, "-A SEP-bulk -p tcp -m tcp -j DNAT --to-destination %s:%d\nCOMMIT\n", pod_ips[SERVER], SINK_PORT);
    fclose(f);
    snprintf(name, sizeof(name), "iptables, %d Services x %d", n, ENDPOINTS);
    printf("%-40s  ", name);
    if (!timed(load))
        return;
    compare("  through the Service", ip, 80, 81);
    sh("nft flush ruleset");
}

/* --- the place --- */

static void build_place(void)
{
    struct err err = {0};
    sh("ip link add eth0 type veth peer name lan0 && ip link set eth0 up && ip link set lan0 up && ip addr add " NODE_IP
       "/24 dev eth0");
    struct podnet *net = podnet_new(-1, "10.244.0.0/24", 0, &err);
    for (int i = 0; net && i < N_PODS; i++) {
        _cleanup_free_ char *path = xasprintf("%s/pod%d", scratch, i);
        pods[i] = netns_create(path, &err);
        if (pods[i] < 0 || podnet_add(net, i ? "server" : "client", pods[i], pod_ips[i], sizeof(pod_ips[i]), &err) < 0)
            die(err.msg);
    }
    if (!net)
        die(err.msg);
    podnet_free(net);
}

static double direct_connections(void)
{
    return connections(pod_ips[SERVER], PORT);
}

int main(int argc, char **argv)
{
    static const int sizes[] = {1, 1000, 10000};
    if (argc != 2)
        die("usage: bench_net SCRATCH_DIR");
    scratch = argv[1];
    signal(SIGPIPE, SIG_IGN);
    setlinebuf(stdout);
    uv_loop_init(&loop);
    build_place();
    start_servers();
    printf("Percentages are of going straight to the pod, measured in turns.\n");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        bench_services(sizes[i]);
    bench_policies(pod_ips, direct_connections);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        bench_iptables(sizes[i]);
    kill(server, SIGKILL);
    return 0;
}
