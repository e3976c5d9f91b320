/* c8s up: a whole local cluster, in the foreground until Ctrl-C or, with --detach, in the background until `c8s down`.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_AREA "up"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/addresses.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/control.h"
#include "cli/daemon.h"
#include "cli/nodeoptions.h"
#include "cli/runstate.h"
#include "json/json.h"

#define LOG_FILE RUN_DIR "/c8s.log"
#define READY_TIMEOUT 60000 /* ms; a start takes a fraction of a second, so this only ends a hang */

struct up_options {
    int nodes;
    const char *data_dir, *kubeconfig, *ip_families, *lb_pool, *log_level;
    bool schedule_on_master, detach;
    struct node_options node;
};
static const struct up_options defaults = {.nodes = 1,
                                           .data_dir = DATA_DIR_DEFAULT,
                                           .ip_families = "IPv4",
                                           .log_level = "info",
                                           .node = NODE_OPTIONS_DEFAULT(EVICTION_HARD_LOCAL, "direct")};

struct up {
    const struct up_options *options;
    uv_loop_t loop;
    struct cluster *cluster;
    struct daemon_signals signals;
    uv_timer_t patience;
    char *data_dir, *kubeconfig;
    struct node_policy policy;
    int64_t began_ms;
    int report_fd; /* where the waiting parent of --detach hears of success or failure; -1 in the foreground */
    bool failed;
};

static void print_ready(const struct up *up, FILE *out)
{
    fprintf(out, "c8s is up: %d node%s, Ready after %.2f s\n  export KUBECONFIG=%s\n", up->options->nodes,
            up->options->nodes == 1 ? "" : "s", (double)(clock_mono_ms() - up->began_ms) / 1000, up->kubeconfig);
}

/* The parent of --detach prints what it is sent; an empty first line means success. */
static void report(struct up *up, const char *failure)
{
    FILE *out = up->report_fd < 0 ? stdout : fdopen(TAKE_FD(up->report_fd), "w");
    if (failure)
        fprintf(up->options->detach ? out : stderr, "c8s up: %s\n", failure);
    else {
        if (up->options->detach)
            fputc('\n', out);
        print_ready(up, out);
    }
    if (out != stdout)
        fclose(out);
    else
        fflush(out);
}

static void give_up(uv_timer_t *timer)
{
    struct up *up = timer->data;
    report(up, "the nodes are not Ready after a minute; see the log");
    up->failed = true;
    uv_stop(timer->loop);
}

static void on_ready(void *arg)
{
    struct up *up = arg;
    uv_timer_stop(&up->patience);
    report(up, NULL);
}

static int save_state(const struct up *up, struct err *err)
{
    _cleanup_json_ json_t *state = json_pack(
        "{s:i, s:s, s:s, s:b, s:i, s:s}", "pid", (int)getpid(), "dataDir", up->data_dir, "kubeconfig", up->kubeconfig,
        "detached", up->options->detach, "nodes", up->options->nodes, "ipFamilies", up->options->ip_families);
    return runstate_save(state, err);
}

static struct cluster_config config_of(const struct up *up)
{
    return (struct cluster_config){.data_dir = up->data_dir,
                                   .kubeconfig = up->kubeconfig,
                                   .nodes = up->options->nodes,
                                   .ip_families = up->options->ip_families,
                                   .lb_pool = up->options->lb_pool,
                                   .schedule_on_master = up->options->schedule_on_master,
                                   .policy = up->policy};
}

static void own_kubeconfig(const char *path)
{
    const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
    int64_t u, g;
    if (uid && gid && str_to_i64(uid, 0, UINT32_MAX, &u) && str_to_i64(gid, 0, UINT32_MAX, &g))
        (void)!chown(path, (uid_t)u, (gid_t)g); /* sudo: the file is for the one who typed it */
}

static void take_away(const struct cluster_config *config)
{
    struct err err;
    if (cluster_teardown(config, &err) < 0)
        log_warn("%s", err.msg);
    runstate_remove();
}

/* Runs until a signal. The lock is held by the caller. */
static int serve(struct up *up, struct err *err)
{
    struct cluster_config config = config_of(up);
    _cleanup_json_ json_t *earlier = runstate_load(); /* of a program that was killed: its containers live */
    uv_loop_init(&up->loop);
    up->cluster = save_state(up, err) < 0 ? NULL : cluster_start(&up->loop, &config, on_ready, up, err);
    if (!up->cluster) {
        uv_loop_close(&up->loop);
        if (!earlier)
            take_away(&config);
        return -1;
    }
    own_kubeconfig(up->kubeconfig);
    uv_timer_init(&up->loop, &up->patience);
    up->patience.data = up;
    daemon_catch(&up->signals, &up->loop);
    uv_timer_start(&up->patience, give_up, READY_TIMEOUT, 0);
    struct control *control = control_listen(&up->loop, up->cluster, err);
    if (!control)
        log_warn("%s", err->msg);
    uv_run(&up->loop, UV_RUN_DEFAULT);
    control_close(control);
    daemon_release(&up->signals);
    uv_close((uv_handle_t *)&up->patience, NULL);
    cluster_stop(up->cluster);
    uv_loop_close(&up->loop);
    take_away(&config);
    return 0;
}

/* In the child of --detach: its own session, the log into a file. */
static void leave_terminal(void)
{
    setsid();
    int null = open("/dev/null", O_RDWR), log = open(LOG_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(null, 0);
    dup2(log < 0 ? null : log, 1);
    dup2(log < 0 ? null : log, 2);
    if (null > 2)
        close(null);
}

/* Waits for the child's report and prints it: the exit code. */
static int wait_for_report(int fd)
{
    char text[2048];
    size_t len = 0;
    for (ssize_t n; len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) != 0;)
        if (n > 0)
            len += (size_t)n;
        else if (errno != EINTR)
            break;
    text[len] = '\0';
    bool good = text[0] == '\n';
    fputs(good ? text + 1 : len ? text : "c8s up: ended without a word; see " LOG_FILE "\n", good ? stdout : stderr);
    return good ? 0 : 1;
}

static int prepare(struct up *up, int *ret_lock, struct err *err)
{
    struct addresses addresses;
    if (!addresses_init(&addresses, up->options->ip_families))
        return err_set(err, 0, "--ip-families takes IPv4, IPv6, IPv4,IPv6 or IPv6,IPv4");
    if (node_options_read(&up->options->node, &up->policy, err) < 0 || daemon_check(up->options->log_level, err) < 0 ||
        dir_make(up->options->data_dir, 0755, err) < 0)
        return -1;
    up->data_dir = realpath(up->options->data_dir, NULL);
    if (!up->data_dir || access(up->data_dir, W_OK) < 0)
        return err_set(err, errno, "data directory %s", up->options->data_dir);
    up->kubeconfig =
        up->options->kubeconfig ? xstrdup(up->options->kubeconfig) : xasprintf("%s/kubeconfig", up->data_dir);
    *ret_lock = runstate_lock(err);
    return *ret_lock < 0 ? -1 : 0;
}

static int run_here(struct up *up)
{
    struct err err = {0};
    daemon_prepare();
    if (serve(up, &err) < 0) {
        report(up, err.msg);
        up->failed = true;
    }
    return up->failed;
}

/* The child goes on with the cluster (and with the lock), the parent waits for its report. */
static int run_detached(struct up *up)
{
    int fds[2];
    pid_t child = pipe2(fds, O_CLOEXEC) < 0 ? -1 : fork();
    if (child < 0) {
        perror("c8s up");
        return 1;
    }
    if (child) {
        close(fds[1]);
        int code = wait_for_report(fds[0]);
        close(fds[0]);
        return code;
    }
    close(fds[0]);
    up->report_fd = fds[1];
    leave_terminal();
    return run_here(up);
}

static int run(const void *options, char **args)
{
    struct up up = {.options = options, .report_fd = -1, .began_ms = clock_mono_ms()};
    struct err err = {0};
    _cleanup_close_ int lock = -1;
    int code = 1;
    (void)args;
    if (prepare(&up, &lock, &err) < 0)
        fprintf(stderr, "c8s up: %s\n", err.msg);
    else
        code = up.options->detach ? run_detached(&up) : run_here(&up);
    free(up.data_dir);
    free(up.kubeconfig);
    return code;
}

#define OPTION(name, value, type, member, min, max, help)                                                              \
    {                                                                                                                  \
        name, value, type, offsetof(struct up_options, member), min, max, help                                         \
    }
static const struct opt opts[] = {
    OPTION("nodes", "N", OPT_INT, nodes, 1, CLUSTER_NODES_MAX, "number of nodes (1)"),
    OPTION("schedule-on-master", NULL, OPT_FLAG, schedule_on_master, 0, 0, "with several nodes: pods on the first too"),
    OPTION("ip-families", "LIST", OPT_STR, ip_families, 0, 0, "IPv4, IPv6, or both, the first one first (IPv4)"),
    OPTION("lb-pool", "RANGE", OPT_STR, lb_pool, 0, 0,
           "for LoadBalancer Services (172.28.128.200-172.28.128.250); none: the nodes' own"),
    NODE_OPTIONS(struct up_options),
    OPTION("data-dir", "DIR", OPT_STR, data_dir, 0, 0, "where the cluster keeps its data (" DATA_DIR_DEFAULT ")"),
    OPTION("kubeconfig", "FILE", OPT_STR, kubeconfig, 0, 0, "file to put the way to the cluster in (DIR/kubeconfig)"),
    OPTION("detach", NULL, OPT_FLAG, detach, 0, 0, "return when the nodes are Ready; `c8s down` stops the cluster"),
    OPTION("log-level", "LEVEL", OPT_STR, log_level, 0, 0, "debug, info, warn or error (info)"),
    {0},
};
const struct command command_up = {
    .name = "up",
    .arguments = "",
    .summary = "Runs a local cluster.",
    .opts = opts,
    .run = run,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
