/* c8s down: stops the cluster and takes away what it made, also what a killed program left behind. c8s status: is one
 * running? */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/machine.h"
#include "cli/runstate.h"
#include "json/json.h"
#include "server/pki.h"

#define STOP_TIMEOUT_MS 30000 /* then the program is killed: what it leaves is taken away all the same */

struct down_options {
    bool purge;
    const char *data_dir; /* to purge when no cluster tells its own */
};
static const struct down_options defaults = {.data_dir = DATA_DIR_DEFAULT};

/* Asks the program to stop and waits for its end. */
static void stop_program(pid_t pid)
{
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    (void)kill(pid, SIGTERM);
    if (poll(&wait, 1, STOP_TIMEOUT_MS) == 0) {
        fprintf(stderr, "c8s down: the program does not stop: killed\n");
        (void)kill(pid, SIGKILL);
        (void)poll(&wait, 1, -1);
    }
}

/* Only a directory that a cluster or an agent has used. */
static int purge(const char *data_dir)
{
    struct err err;
    _cleanup_free_ char *db = xasprintf("%s/state.db", data_dir), *agent = xasprintf("%s/agent", data_dir);
    if ((access(db, F_OK) < 0 && access(agent, F_OK) < 0) || tree_remove(data_dir, &err) == 0)
        return 0;
    fprintf(stderr, "c8s down: %s\n", err.msg);
    return 1;
}

/* Of `c8s server` and `c8s agent`: one node, this machine. */
static int take_machine_away(const json_t *state, struct err *err)
{
    const char *data_dir = jstr_or(state, "dataDir", DATA_DIR_DEFAULT), *kubeconfig = jstr(state, "kubeconfig");
    _cleanup_free_ char *ca = xasprintf("%s/pki/ca.crt", data_dir);
    if (kubeconfig)
        kubeconfig_remove(kubeconfig, &(struct pki){.ca_cert = ca});
    return machine_teardown(data_dir, jstr(state, "node"), err);
}

static int down(const void *options, char **args)
{
    const struct down_options *o = options;
    struct err err = {0};
    (void)args;
    if (geteuid() != 0) {
        fputs("c8s down: needs root (try sudo)\n", stderr);
        return 1;
    }
    _cleanup_json_ json_t *state = runstate_load();
    if (!state) {
        puts("no cluster is running");
        return o->purge ? purge(o->data_dir) : 0;
    }
    struct cluster_config config = {.data_dir = jstr_or(state, "dataDir", DATA_DIR_DEFAULT),
                                    .kubeconfig = jstr_or(state, "kubeconfig", "/dev/null"),
                                    .nodes = (int)jint(state, "nodes", 1)};
    if (runstate_is_running())
        stop_program((pid_t)jint(state, "pid", 0));
    int result = jstr(state, "node") ? take_machine_away(state, &err) : cluster_teardown(&config, &err);
    runstate_remove();
    if (result < 0) {
        fprintf(stderr, "c8s down: %s\n", err.msg);
        return 1;
    }
    if (o->purge && purge(config.data_dir) != 0)
        return 1;
    printf("the cluster is gone%s%s\n", o->purge ? ", its data too" : "; its data stays in ",
           o->purge ? "" : config.data_dir);
    return 0;
}

static int status(const void *options, char **args)
{
    (void)options;
    (void)args;
    _cleanup_json_ json_t *state = runstate_load();
    if (!state || !runstate_is_running()) {
        puts(state ? "not running, but it was not stopped: `c8s up` goes on with it, `c8s down` cleans up"
                   : "no cluster is running");
        return 1;
    }
    if (jstr(state, "node")) {
        printf("running: pid %d, node %s, data in %s\n", (int)jint(state, "pid", 0), jstr(state, "node"),
               jstr_or(state, "dataDir", ""));
        return 0;
    }
    printf("running: pid %d, %d node(s), data in %s\n  export KUBECONFIG=%s\n", (int)jint(state, "pid", 0),
           (int)jint(state, "nodes", 1), jstr_or(state, "dataDir", ""), jstr_or(state, "kubeconfig", ""));
    return 0;
}

static const struct opt down_opts[] = {
    {"purge", NULL, OPT_FLAG, offsetof(struct down_options, purge), 0, 0, "delete the data directory too"},
    {"data-dir", "DIR", OPT_STR, offsetof(struct down_options, data_dir), 0, 0,
     "what to purge when no cluster runs (" DATA_DIR_DEFAULT ")"},
    {0},
};
static const struct opt no_opts[] = {{0}};
const struct command command_down = {
    .name = "down",
    .arguments = "",
    .summary = "Stops what runs here (up, server or agent) and removes every trace of it but its data.",
    .opts = down_opts,
    .run = down,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
const struct command command_status = {
    .name = "status", .arguments = "", .summary = "Says whether a cluster is running.", .opts = no_opts, .run = status};
