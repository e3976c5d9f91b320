/* c8s: the program. */
#include <malloc.h>

#include "base/str.h"
#include "cli/commands.h"
#include "node/agent.h"

int main(int argc, char **argv)
{
    /* Threads only do short blocking jobs: an arena for each would cost megabytes and win nothing. */
    mallopt(M_ARENA_MAX, 2);
    if (argc > 1 && streq(argv[1], NODE_HELPER_COMMAND))
        return node_helper_main(argc, argv);
    const struct command commands[] = {
        command_up, command_down, command_status, command_image_import, command_image_ls, command_version, {0},
    };
    return commands_main(commands, argc, argv);
}
