/* c8s: the program. */
#include <malloc.h>

#include "cli/commands.h"
#include "json/pool.h"

int main(int argc, char **argv)
{
    /* Threads only do short blocking jobs: an arena for each would cost megabytes and win nothing. */
    mallopt(M_ARENA_MAX, 2);
    json_use_pool();
    /* clang-format off */
    const struct command commands[] = {
        command_up,
        command_down,
        command_status,
        command_backup,
        command_restore,
        command_image_import,
        command_image_ls,
        command_version,
        command_server,
        command_agent,
        command_token_create,
        command_token_list,
        command_token_delete,
        command_node_stop,
        command_node_shutdown,
        command_node_start,
        command_node_cut,
        command_node_heal,
        command_why,
        {0},
    };
    /* clang-format on */
    return commands_main(commands, argc, argv);
}
