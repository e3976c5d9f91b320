/* How fast the API answers, over TLS with a client certificate, and beside each figure what this machine allows: the
 * same requests to a TLS server that only copies bytes (one event loop would do no better: it is one thread a
 * connection), and SQLite's own commits. Talks to a cluster that runs; tests/bench/api.py starts one.
 *
 * Usage: bench_api HOST PORT PKI_DIR SERVER_PID SCRATCH_DIR */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "load.h"

#define PODS "/api/v1/namespaces/default/pods"
#define MAPS "/api/v1/namespaces/default/configmaps"

static SSL_CTX *echo_tls;
static struct sockaddr_in api, echo;

/* --- what the machine allows --- */

/* Answers every request with the number of bytes that its target names. */
static void *echo_thread(void *arg)
{
    SSL *ssl = SSL_new(echo_tls);
    SSL_set_fd(ssl, (int)(intptr_t)arg);
    char in[8192];
    static const char block[65536];
    if (SSL_accept(ssl) == 1)
        for (int n; (n = SSL_read(ssl, in, sizeof(in) - 1)) > 0;) {
            in[n] = '\0';
            size_t left = number_at(strchrnul(in, '/'));
            char head[16500];
            size_t first = left < 16000 ? left : 16000; /* head and body in one record, as a good server does */
            int len = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", left);
            memset(head + len, 'x', first);
            SSL_write(ssl, head, len + (int)first);
            for (left -= first; left; left -= first) {
                first = left < sizeof(block) ? left : sizeof(block);
                SSL_write(ssl, block, (int)first);
            }
        }
    SSL_free(ssl);
    close((int)(intptr_t)arg);
    return NULL;
}

static void *echo_listen(void *arg)
{
    int fd, one = 1, listener = (int)(intptr_t)arg;
    pthread_t t;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        pthread_create(&t, NULL, echo_thread, (void *)(intptr_t)fd);
        pthread_detach(t);
    }
    return NULL;
}

static void start_echo(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(echo);
    echo = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&echo, sizeof(echo)) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&echo, &len) < 0)
        die("cannot listen");
    pthread_t t;
    pthread_create(&t, NULL, echo_listen, (void *)(intptr_t)fd);
}

static size_t echo_bytes;

static struct answer echo_request(struct conn *c, int i)
{
    char target[32];
    (void)i;
    snprintf(target, sizeof(target), "/%zu", echo_bytes);
    return ask(c, "GET", target, NULL, NULL);
}

static struct figures allowed_by_tls(size_t bytes, int connections, int requests)
{
    echo_bytes = bytes;
    return run_load(
        (struct load){.to = &echo, .request = echo_request, .connections = connections, .requests = requests});
}

/* Transactions of one row of `bytes`, and of `rows` rows counted as rows, each on the disk before the next. */
static double sqlite_rows_per_second(const char *dir, size_t bytes, int rows, int transactions)
{
    _cleanup_free_ char *path = xasprintf("%s/bench.db", dir), *blob = xcalloc(1, bytes);
    sqlite3 *db;
    sqlite3_stmt *put;
    unlink(path);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(
            db,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096;" /* db.c's */
            "CREATE TABLE t (k TEXT PRIMARY KEY, v BLOB)",
            NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?1, ?2)", -1, &put, NULL) != SQLITE_OK)
        die("SQLite");
    int64_t began = now_usec();
    for (int i = 0, key = 0; i < transactions; i++) {
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        for (int n = 0; n < rows; n++) {
            char name[32];
            snprintf(name, sizeof(name), "default/pod-%08d", key++);
            sqlite3_bind_text(put, 1, name, -1, SQLITE_TRANSIENT);
            sqlite3_bind_blob(put, 2, blob, (int)bytes, SQLITE_STATIC);
            sqlite3_step(put);
            sqlite3_reset(put);
        }
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
            die("SQLite commit");
    }
    double seconds = (double)(now_usec() - began) / 1e6;
    sqlite3_finalize(put);
    sqlite3_close(db);
    unlink(path);
    return rows * transactions / seconds;
}

/* --- the API's requests --- */

/* About what a Deployment's pod looks like. Another scheduler's, so that nobody runs it. */
static char *pod_text(const char *name, int i)
{
    return xasprintf(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"labels\":{\"app\":\"web\",\"shard\":"
        "\"s%d\","
        "\"pod-template-hash\":\"5d4f8c7b9d\"}},\"spec\":{\"schedulerName\":\"nobody\",\"containers\":[{\"name\":"
        "\"web\",\"image\":"
        "\"docker.io/library/"
        "nginx:1.25\",\"ports\":[{\"containerPort\":80}],\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\","
        "\"value\":\"2\"}],\"resources\":{\"requests\":{\"cpu\":\"10m\",\"memory\":\"16Mi\"}},\"readinessProbe\":{"
        "\"httpGet\":{\"path\":"
        "\"/\",\"port\":80}}}]}}",
        name, i % 100);
}

static int pods_made;

static struct answer create_pod(struct conn *c, int i)
{
    char name[32];
    int n = __atomic_fetch_add(&pods_made, 1, __ATOMIC_RELAXED);
    (void)i;
    snprintf(name, sizeof(name), "pod-%05d", n);
    _cleanup_free_ char *body = pod_text(name, n);
    return ask(c, "POST", PODS, NULL, body);
}

static struct answer get_pod(struct conn *c, int i)
{
    char target[128];
    snprintf(target, sizeof(target), PODS "/pod-%05d", i % 1000);
    return ask(c, "GET", target, NULL, NULL);
}

static struct answer list_pods(struct conn *c, int i)
{
    (void)i;
    return ask(c, "GET", PODS "?limit=1000", NULL, NULL);
}

static struct answer list_labelled(struct conn *c, int i)
{
    char target[128];
    snprintf(target, sizeof(target), PODS "?labelSelector=shard%%3Ds%d", i % 100);
    return ask(c, "GET", target, NULL, NULL);
}

static struct answer patch_pod(struct conn *c, int i)
{
    static int turn;
    char target[128], body[128];
    snprintf(target, sizeof(target), PODS "/pod-%05d", i % 1000);
    snprintf(body, sizeof(body), "{\"metadata\":{\"annotations\":{\"turn\":\"%d\"}}}",
             __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED));
    return ask(c, "PATCH", target, "application/merge-patch+json", body);
}

/* --- the table --- */

static void row(const char *what, int connections, struct figures f, const char *limit, double allowed)
{
    printf("%-34s %4d %10.0f/s %8.2f ms %8.2f ms %8.0f us   %5.2f of %s (%.0f/s)\n", what, connections, f.per_second,
           f.p50_ms, f.p99_ms, f.server_usec, f.per_second / allowed, limit, allowed);
    fflush(stdout);
}

static void bench_reads(const char *what, struct answer (*request)(struct conn *c, int i), int requests)
{
    static const int connections[] = {1, 32};
    for (size_t i = 0; i < 2; i++) {
        struct figures f = run_load(
            (struct load){.to = &api, .request = request, .connections = connections[i], .requests = requests});
        struct figures bare = allowed_by_tls(f.bytes, connections[i], requests);
        row(what, connections[i], f, "bare TLS", bare.per_second);
    }
}

static void bench_writes(const char *what, struct answer (*request)(struct conn *c, int i), int requests,
                         const char *dir)
{
    static const int connections[] = {1, 32};
    for (size_t i = 0; i < 2; i++) {
        struct figures f = run_load(
            (struct load){.to = &api, .request = request, .connections = connections[i], .requests = requests});
        double rows = sqlite_rows_per_second(dir, f.bytes, connections[i], 1000 / connections[i]);
        row(what, connections[i], f, connections[i] == 1 ? "SQLite's commits" : "SQLite's rows, 32 a commit", rows);
    }
}

/* --- watches --- */

static bool read_some(struct conn *c)
{
    char sink[16384];
    bool any = false;
    while (SSL_read(c->ssl, sink, sizeof(sink)) > 0)
        any = true;
    return any;
}

/* From the sending of a write to the last watcher's event, the answer not awaited before. */
static double one_round(struct conn *writer, int poll_fd, int watchers, int turn)
{
    struct epoll_event events[64];
    _cleanup_free_ char *body = xasprintf("{\"data\":{\"turn\":\"%d\"}}", turn);
    int64_t began = now_usec();
    conn_send(writer, "PATCH", MAPS "/bench", "application/merge-patch+json", body);
    for (int seen = 0; seen < watchers;) {
        int n = epoll_wait(poll_fd, events, 64, 10000);
        if (n <= 0)
            die("a watcher got nothing for ten seconds");
        for (int i = 0; i < n; i++)
            seen += read_some(events[i].data.ptr);
    }
    double ms = (double)(now_usec() - began) / 1e3;
    conn_read(writer);
    return ms;
}

static void bench_watchers(int watchers, int rounds)
{
    struct conn *conns = xcalloc((size_t)watchers, sizeof(*conns)), writer;
    int poll_fd = epoll_create1(0);
    conn_open(&writer, &api);
    ask(&writer, "POST", MAPS, NULL, "{\"metadata\":{\"name\":\"bench\"}}");
    for (int i = 0; i < watchers; i++) {
        conn_open(&conns[i], &api);
        conn_send(&conns[i], "GET", MAPS "?watch=1&fieldSelector=metadata.name%3Dbench&timeoutSeconds=600", NULL, NULL);
        char first[4096];
        for (bool begun = false; !begun;) {
            int n = SSL_read(conns[i].ssl, first, sizeof(first) - 1);
            first[n > 0 ? n : 0] = '\0';
            if (n <= 0)
                die("watch");
            begun = strstr(first, "ADDED") != NULL;
        }
        fcntl(conns[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.ptr = &conns[i]};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, conns[i].fd, &e);
    }
    int64_t *usec = xcalloc((size_t)rounds, sizeof(*usec));
    for (int i = 0; i < rounds; i++)
        usec[i] = (int64_t)(one_round(&writer, poll_fd, watchers, i) * 1000);
    qsort(usec, (size_t)rounds, sizeof(*usec), by_size);
    printf("%-34s %4d %12s %8.2f ms %8.2f ms %11s   %5.1f us a watcher\n", "write to the last watcher", watchers, "",
           (double)usec[rounds / 2] / 1e3, (double)usec[rounds - 1] / 1e3, "", (double)usec[rounds / 2] / watchers);
    fflush(stdout);
    free(usec);
    for (int i = 0; i < watchers; i++)
        conn_close(&conns[i]);
    conn_close(&writer);
    close(poll_fd);
    free(conns);
}

/* --- memory --- */

static double resident_mb(int pid)
{
    char line[256];
    size_t kb = 0;
    _cleanup_free_ char *path = xasprintf("/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (str_after(line, "VmRSS:"))
            kb = number_at(str_after(line, "VmRSS:"));
    if (f)
        fclose(f);
    return (double)kb / 1024;
}

static void make_pods(int n)
{
    if (n > pods_made)
        run_load((struct load){
            .to = &api, .request = create_pod, .connections = CONNECTIONS_MAX, .requests = n - pods_made});
}

static void prepare_tls(const char *pki)
{
    _cleanup_free_ char *crt = xasprintf("%s/admin.crt", pki), *key = xasprintf("%s/admin.key", pki);
    _cleanup_free_ char *server_crt = xasprintf("%s/apiserver.crt", pki),
                        *server_key = xasprintf("%s/apiserver.key", pki);
    client_tls = SSL_CTX_new(TLS_client_method());
    echo_tls = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_file(client_tls, crt, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(client_tls, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_certificate_file(echo_tls, server_crt, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(echo_tls, server_key, SSL_FILETYPE_PEM) != 1)
        die("certificates");
}

int main(int argc, char **argv)
{
    if (argc != 6)
        die("usage: bench_api HOST PORT PKI_DIR SERVER_PID SCRATCH_DIR");
    int pid = atoi(argv[4]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    prepare_tls(argv[3]);
    api = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &api.sin_addr);
    start_echo();

    if (clock_getcpuclockid(pid, &server_clock) != 0)
        die("no such server");
    printf("%-34s %4s %12s %11s %11s %11s   %s\n", "", "conn", "per second", "median", "p99", "server CPU",
           "of what the machine allows");
    double idle = resident_mb(pid);
    bench_writes("create pod", create_pod, 1000, argv[5]);
    bench_writes("patch pod", patch_pod, 1000, argv[5]);
    bench_reads("get pod", get_pod, 5000);
    bench_reads("list 1000 pods", list_pods, 200);
    bench_reads("list 20 of 2000 pods by label", list_labelled, 1000);
    bench_watchers(1, 100);
    bench_watchers(100, 50);
    bench_watchers(1000, 20);
    make_pods(10000);
    bench_reads("list 100 of 10000 pods by label", list_labelled, 200);
    printf("%-34s %.1f MB RSS idle, %.1f MB with 10,000 pods\n", "memory of the server", idle, resident_mb(pid));
    return 0;
}
