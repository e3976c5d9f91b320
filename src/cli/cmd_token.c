/* c8s token create|list|delete: bootstrap tokens, with which machines may join; asked of the API of the cluster that
 * runs here. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/str.h"
#include "cert/cert.h"
#include "cli/access.h"
#include "cli/commands.h"
#include "cli/runstate.h"
#include "json/json.h"
#include "kinds/bootstraptoken.h"
#include "kinds/kind.h"
#include "server/pki.h"

#define PEM_MAX 65536

struct token_options {
    int hours;
    bool print_join_command;
    const char *description;
};
static const struct token_options defaults = {.hours = 24}; /* as kubeadm */

struct token {
    char id[BOOTSTRAP_ID_LEN + 1], secret[BOOTSTRAP_SECRET_LEN + 1];
};

/* Letters and digits, each as likely as the others. */
static void random_word(char *out, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < len; i++)
        out[i] = letters[rand_below(sizeof(letters) - 1)];
    out[len] = '\0';
}

static json_t *secret_of(const struct token *t, const struct token_options *o)
{
    char expiration[TIME_TEXT_SIZE];
    time_format(clock_wall_usec() + o->hours * INT64_C(3600000000), expiration);
    return json_pack("{s:{s:s+, s:s}, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s*}}", "metadata", "name",
                     BOOTSTRAP_TOKEN_PREFIX, t->id, "namespace", BOOTSTRAP_TOKEN_NS, "type", BOOTSTRAP_TOKEN_TYPE,
                     "stringData", "token-id", t->id, "token-secret", t->secret, "expiration", expiration,
                     "usage-bootstrap-authentication", "true", "usage-bootstrap-signing", "true", "auth-extra-groups",
                     "system:bootstrappers:kubeadm:default-node-token", "description", o->description);
}

/* --- asking the API --- */

struct call {
    struct client *client;
    json_t *secret;   /* to be made */
    const char *name; /* to be deleted */
    int code;
    char message[400];
};

static void on_answer(void *arg, int code, const json_t *body)
{
    struct call *a = arg;
    a->code = code;
    snprintf(a->message, sizeof(a->message), "%s", jstr_or(body, "message", "the API does not answer"));
}

/* Runs until it is answered. */
static int ask(const struct access *access, void (*begin)(struct call *call), struct call *call, struct err *err)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    call->client = access_client(access, &loop);
    begin(call);
    uv_run(&loop, UV_RUN_DEFAULT);
    client_free(call->client);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return call->code == 200 || call->code == 201 ? 0 : err_set(err, 0, "%s", call->message);
}

/* The cluster that runs here: its state, and the way to it. */
static json_t *find_cluster(struct access *access, struct err *err)
{
    json_t *state = runstate_load();
    *access = (struct access){0};
    if (!jstr(state, "url") || !runstate_is_running())
        err_set(err, 0, "no server is running here");
    else if (access_read(access, jstr_or(state, "kubeconfig", ""), KUBECONFIG_ENTRY, err) == 0)
        return state;
    json_decref(state);
    return NULL;
}

/* --- token create --- */

static void begin_create(struct call *call)
{
    client_create(call->client, &kind_secret, BOOTSTRAP_TOKEN_NS, call->secret, on_answer, call);
}

static int print(const struct token *t, const char *url, const char *ca_path, bool command, struct err *err)
{
    char pin[CERT_PIN_SIZE];
    _cleanup_free_ char *pem = file_read(ca_path, PEM_MAX, NULL, err);
    if (!pem || !cert_pin(pem, pin))
        return pem ? err_set(err, 0, "%s is no certificate", ca_path) : -1;
    if (command)
        printf("c8s agent --server %s --token %s.%s --ca-hash %s\n", url, t->id, t->secret, pin);
    else
        printf("%s.%s\n", t->id, t->secret);
    return 0;
}

static int create_and_print(const struct token_options *o, struct err *err)
{
    struct access access;
    struct token t;
    _cleanup_json_ json_t *state = find_cluster(&access, err);
    _cleanup_free_ char *ca = xasprintf("%s/pki/ca.crt", jstr_or(state, "dataDir", ""));
    random_word(t.id, BOOTSTRAP_ID_LEN);
    random_word(t.secret, BOOTSTRAP_SECRET_LEN);
    _cleanup_json_ json_t *secret = secret_of(&t, o);
    struct call call = {.secret = secret};
    int result = state ? ask(&access, begin_create, &call, err) : -1;
    access_done(&access);
    return result < 0 ? -1 : print(&t, jstr(state, "url"), ca, o->print_join_command, err);
}

static int fail(const char *command, const struct err *err)
{
    fprintf(stderr, "c8s token %s: %s\n", command, err->msg);
    return 1;
}

static int create(const void *options, char **args)
{
    struct err err;
    (void)args;
    return create_and_print(options, &err) < 0 ? fail("create", &err) : 0;
}

static const struct opt create_opts[] = {
    {"hours", "N", OPT_INT, offsetof(struct token_options, hours), 1, 24 * 365, "how long it can be used (24)"},
    {"print-join-command", NULL, OPT_FLAG, offsetof(struct token_options, print_join_command), 0, 0,
     "the command that makes another machine a node"},
    {"description", "TEXT", OPT_STR, offsetof(struct token_options, description), 0, 0, "what it is for"},
    {0},
};
const struct command command_token_create = {
    .name = "token create",
    .arguments = "",
    .summary = "Makes a token with which machines may join the cluster that runs here.",
    .opts = create_opts,
    .run = create,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};

/* --- token list --- */

static void print_usages(const struct bootstrap_token *t)
{
    static const char *const texts[2][2] = {{"<none>", "signing"}, {"authentication", "authentication,signing"}};
    printf("%-23s", texts[t->for_authentication][t->for_signing]);
}

/* As kubeadm prints it. */
static void print_row(const struct bootstrap_token *t)
{
    char left[TIME_TEXT_SIZE] = "<forever>", end[TIME_TEXT_SIZE] = "<never>";
    int64_t now = clock_wall_usec();
    if (t->expires) {
        time_format(t->end_usec, end);
        time_human_duration(t->end_usec - now, left);
    }
    if (bootstrap_token_expired(t, now))
        snprintf(left, sizeof(left), "<invalid>");
    printf("%s.%-17s%-10s%-22s", t->id, t->secret, left, end);
    print_usages(t);
    printf("%-20s%s\n", t->description ? t->description : "<none>", t->groups ? t->groups : "<none>");
}

static void on_listed(void *arg, int code, struct object *const *objs, size_t n, uint64_t rv)
{
    struct call *call = arg;
    (void)rv;
    call->code = code;
    snprintf(call->message, sizeof(call->message), "the API does not answer");
    if (code == 200)
        printf("%-24s%-10s%-22s%-23s%-20s%s\n", "TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS");
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ json_t *secret = object_json(objs[i]);
        struct bootstrap_token t;
        if (bootstrap_token_read(&t, secret))
            print_row(&t);
        bootstrap_token_done(&t);
    }
}

static void begin_list(struct call *call)
{
    _cleanup_free_ char *path = kind_path(&kind_secret, BOOTSTRAP_TOKEN_NS, NULL, NULL);
    _cleanup_free_ char *query = xasprintf("%s?fieldSelector=type%%3Dbootstrap.kubernetes.io%%2Ftoken", path);
    call->client->ops->list(call->client, &kind_secret, query, on_listed, call);
}

static int ask_here(void (*begin)(struct call *call), struct call *call, struct err *err)
{
    struct access access;
    _cleanup_json_ json_t *state = find_cluster(&access, err);
    int result = state ? ask(&access, begin, call, err) : -1;
    access_done(&access);
    return result;
}

static int list(const void *options, char **args)
{
    struct err err;
    struct call call = {0};
    (void)options, (void)args;
    return ask_here(begin_list, &call, &err) < 0 ? fail("list", &err) : 0;
}

static const struct opt no_opts[] = {{0}};
const struct command command_token_list = {
    .name = "token list",
    .arguments = "",
    .summary = "Lists the tokens with which machines may join.",
    .opts = no_opts,
    .run = list,
};

/* --- token delete --- */

static void begin_delete(struct call *call)
{
    client_delete(call->client, &kind_secret, BOOTSTRAP_TOKEN_NS, call->name, NULL, on_answer, call);
}

static int delete (const void *options, char **args)
{
    struct err err;
    size_t len = strlen(args[0]);
    (void)options;
    if (len != BOOTSTRAP_ID_LEN && !bootstrap_token_is(args[0], len)) {
        err_set(&err, 0, "\"%s\" is neither a token nor the first part of one", args[0]);
        return fail("delete", &err);
    }
    _cleanup_free_ char *name = xasprintf(BOOTSTRAP_TOKEN_PREFIX "%.*s", BOOTSTRAP_ID_LEN, args[0]);
    struct call call = {.name = name};
    if (ask_here(begin_delete, &call, &err) < 0)
        return fail("delete", &err);
    printf("bootstrap token \"%.*s\" deleted\n", BOOTSTRAP_ID_LEN, args[0]);
    return 0;
}

const struct command command_token_delete = {
    .name = "token delete",
    .arguments = "TOKEN",
    .summary = "Makes a token void; its first part is enough.",
    .opts = no_opts,
    .min_args = 1,
    .max_args = 1,
    .run = delete,
};
