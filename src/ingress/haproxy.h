/* HAProxy as a child: one master process, told to load its configuration anew, asked through its socket which one its
 * worker has, started again when it dies. It does not outlive us. */
#pragma once
#include <stdbool.h>
#include <uv.h>

struct haproxy;
struct haproxy_config {
    int netns_fd;   /* where it runs; -1: here */
    const int *fds; /* inherited as 3, 4, ...; borrowed */
    size_t n_fds;
    const char *config_path, *socket_path;
    /* The worker of this generation answers, or (not fine) did not within the time it has: the configuration is bad, or
     * it cannot listen. The worker of before, if there is one, goes on. */
    void (*loaded)(void *arg, bool fine);
    /* It died, and the pause is over: write the configuration as it should be and call haproxy_load(). */
    void (*died)(void *arg);
    /* A command was not understood: what the worker has is not what we think. */
    void (*astray)(void *arg);
    /* After haproxy_free(): the process has ended. */
    void (*gone)(void *arg);
    void *arg;
};

bool haproxy_installed(void);
struct haproxy *haproxy_new(uv_loop_t *loop, const struct haproxy_config *config); /* texts are borrowed */
/* Starts it, or has it load the configuration, which says `description generation-N`. Not before the last load was
 * answered. */
void haproxy_load(struct haproxy *h, unsigned long generation);
/* Commands, one a line, to the worker loaded last. Taken one after the other. A line that ends with << goes on until
 * an empty line. */
void haproxy_command(struct haproxy *h, const char *commands);
void haproxy_free(struct haproxy *h);
