/* Command lines as tables: one row an option gives parsing, --help and the check of its value. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum opt_type { OPT_FLAG, OPT_STR, OPT_INT };

struct opt {
    const char *name;  /* without dashes; NULL ends the table */
    const char *value; /* what --help calls the value; NULL for flags */
    enum opt_type type;
    size_t offset; /* of the bool, const char * or int in the command's options */
    int min, max;  /* OPT_INT */
    const char *help;
};

struct command {
    const char *name;      /* "up", "image import"; NULL ends the table */
    const char *arguments; /* what --help shows behind the options; "" for none */
    const char *summary;
    const struct opt *opts;
    int min_args, max_args;
    /* options: the command's own struct, filled from its defaults and the command line. Returns the exit code. */
    int (*run)(const void *options, char **args);
    const void *defaults;
    size_t options_size;
};

/* Finds the command, parses, runs. Exit codes: 0, 1 (the command failed), 2 (the command line is wrong). */
int commands_main(const struct command *commands, int argc, char **argv);
