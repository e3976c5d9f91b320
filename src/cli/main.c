/* c8s: the program. */
#include <malloc.h>

#include "cli/commands.h"

int main(int argc, char **argv)
{
    /* Threads only do short blocking jobs: an arena for each would cost megabytes and win nothing. */
    mallopt(M_ARENA_MAX, 2);
    const struct command commands[] = {
        command_up,
        command_down,
        command_status,
        command_backup,
        command_restore,
        command_image_import,
        command_image_ls,
        command_version,
        command_why,
        command_server,
        command_agent,
        command_token_create,
        {0},
    };
    return commands_main(commands, argc, argv);
}
