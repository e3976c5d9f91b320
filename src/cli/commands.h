/* The commands of the program, one file each; the table is main.c. */
#pragma once
#include "cli/opts.h"

#define DATA_DIR_DEFAULT "/var/lib/c8s"
#define RUN_DIR "/run/c8s" /* one cluster a machine (or mount namespace): node names and the LAN are fixed too */

extern const struct command command_agent, command_server, command_token_create, command_token_list,
    command_token_delete, command_node_stop, command_node_shutdown, command_node_start, command_node_cut,
    command_node_heal;
extern const struct command command_up, command_down, command_status, command_backup, command_restore,
    command_image_import, command_image_ls, command_version, command_why;
