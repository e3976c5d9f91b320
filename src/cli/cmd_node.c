/* c8s node stop, shutdown, start, cut, heal: a node of the local cluster dies and comes back, to see what happens. */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/control.h"

static int ask(const char *verb, char **args)
{
    struct err err;
    _cleanup_free_ char *line = xasprintf("node %s %s", verb, args[0]);
    if (control_ask(line, &err) == 0)
        return 0;
    fprintf(stderr, "c8s node %s: %s\n", verb, err.msg);
    return 1;
}

#define NODE_COMMAND(verb, text)                                                                                       \
    static int verb##_node(const void *options, char **args)                                                           \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        return ask(#verb, args);                                                                                       \
    }                                                                                                                  \
    const struct command command_node_##verb = {.name = "node " #verb,                                                 \
                                                .arguments = "NAME",                                                   \
                                                .summary = text,                                                       \
                                                .opts = no_opts,                                                       \
                                                .min_args = 1,                                                         \
                                                .max_args = 1,                                                         \
                                                .run = verb##_node}

static const struct opt no_opts[] = {{0}};
NODE_COMMAND(stop, "Switches a node of the local cluster off: its containers are gone.");
NODE_COMMAND(shutdown, "Switches a node off as its owner would: its pods may end first.");
NODE_COMMAND(start, "Switches a stopped node on again.");
NODE_COMMAND(cut, "Pulls a node's network cable; what runs on it goes on.");
NODE_COMMAND(heal, "Plugs the cable of a cut node in again.");
