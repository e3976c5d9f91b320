/* See opts.h. */
#include "cli/opts.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define ARGS_MAX 16 /* positional arguments; no command takes more */

static void print_option(const struct opt *o)
{
    char left[64];
    snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-24s %s\n", left, o->help);
}

static void print_usage(const struct command *c)
{
    printf("usage: c8s %s%s%s%s\n%s\n", c->name, c->opts->name ? " [options]" : "", *c->arguments ? " " : "",
           c->arguments, c->summary);
    if (c->opts->name)
        puts("\noptions:");
    for (const struct opt *o = c->opts; o->name; o++)
        print_option(o);
}

static void print_commands(const struct command *commands)
{
    puts("usage: c8s COMMAND [options]\n\nA Kubernetes-compatible cluster in one small program.\n\ncommands:");
    for (const struct command *c = commands; c->name; c++)
        printf("  %-16s %s\n", c->name, c->summary);
    puts("\n`c8s COMMAND --help` tells the options of a command; `man c8s` tells the rest.");
}

/* The command whose name the arguments begin with; *used: words of its name. */
static const struct command *find_command(const struct command *commands, int argc, char **argv, int *used)
{
    for (const struct command *c = commands; c->name; c++) {
        size_t n;
        _cleanup_free_ char **words = str_split(c->name, ' ', &n);
        size_t i = 0;
        while (i < n && (int)i + 1 < argc && streq(words[i], argv[i + 1]))
            i++;
        if (i == n) {
            *used = (int)n;
            return c;
        }
    }
    return NULL;
}

static const struct opt *find_option(const struct command *c, const char *name, size_t len)
{
    for (const struct opt *o = c->opts; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static int complain(const struct command *c, const char *what, const char *word)
{
    fprintf(stderr, "c8s %s: %s%s%s (see c8s %s --help)\n", c->name, what, word ? " " : "", word ? word : "", c->name);
    return -1;
}

static int store_value(const struct command *c, const struct opt *o, const char *value, void *options)
{
    void *to = (char *)options + o->offset;
    int64_t n;
    if (o->type == OPT_FLAG)
        *(bool *)to = true;
    else if (o->type == OPT_STR)
        *(const char **)to = value;
    else if (str_to_i64(value, o->min, o->max, &n))
        *(int *)to = (int)n;
    else {
        fprintf(stderr, "c8s %s: --%s takes a number from %d to %d\n", c->name, o->name, o->min, o->max);
        return -1;
    }
    return 0;
}

/* Fills options and args (NULL-terminated): 0, 1 when --help was asked for, -1 after a complaint. */
static int parse(const struct command *c, char **words, void *options, char *args[ARGS_MAX + 1])
{
    int n = 0;
    for (; *words; words++) {
        const char *word = *words;
        if (streq(word, "--help") || streq(word, "-h"))
            return 1;
        if (!str_after(word, "--")) {
            if (n == c->max_args)
                return complain(c, "unexpected argument", word);
            args[n++] = *words;
            continue;
        }
        const char *equals = strchr(word, '=');
        size_t len = equals ? (size_t)(equals - word - 2) : strlen(word + 2);
        const struct opt *o = find_option(c, word + 2, len);
        if (!o)
            return complain(c, "unknown option", word);
        if (o->type == OPT_FLAG ? equals != NULL : !equals && !words[1])
            return complain(c, equals ? "no value belongs to" : "a value is missing after", word);
        const char *value = o->type == OPT_FLAG ? NULL : equals ? equals + 1 : *++words;
        if (store_value(c, o, value, options) < 0)
            return -1;
    }
    args[n] = NULL;
    return n < c->min_args ? complain(c, "missing argument:", c->arguments) : 0;
}

int commands_main(const struct command *commands, int argc, char **argv)
{
    int used;
    char *args[ARGS_MAX + 1];
    if (argc < 2 || streq(argv[1], "--help") || streq(argv[1], "-h") || streq(argv[1], "help")) {
        print_commands(commands);
        return argc < 2 ? 2 : 0;
    }
    const struct command *c = find_command(commands, argc, argv, &used);
    if (!c) {
        fprintf(stderr, "c8s: no command \"%s\" (see c8s --help)\n", argv[1]);
        return 2;
    }
    _cleanup_free_ void *options = xmemdup(c->defaults ? c->defaults : "", c->defaults ? c->options_size : 1);
    int parsed = parse(c, argv + 1 + used, options, args);
    if (parsed == 1)
        print_usage(c);
    return parsed < 0 ? 2 : parsed == 1 ? 0 : c->run(options, args);
}
