/* c8s version */
#include <stdio.h>

#include "cli/commands.h"

static int run(const void *options, char **args)
{
    (void)options;
    (void)args;
    puts("c8s " C8S_VERSION);
    return 0;
}

static const struct opt opts[] = {{0}};
const struct command command_version = {
    .name = "version", .arguments = "", .summary = "Prints the version.", .opts = opts, .run = run};
