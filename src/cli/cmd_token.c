/* c8s token create: a bootstrap token, with which a machine may join; asked of the API of the cluster that runs here.
 */
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
#include "kinds/kind.h"
#include "server/pki.h"

#define TOKEN_ID 6
#define TOKEN_SECRET 16
#define PEM_MAX 65536

struct token_options {
    int hours;
    bool print_join_command;
};
static const struct token_options defaults = {.hours = 24}; /* as kubeadm */

struct token {
    char id[TOKEN_ID + 1], secret[TOKEN_SECRET + 1];
};

/* Letters and digits, each as likely as the others. */
static void random_word(char *out, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < len; i++)
        out[i] = letters[rand_below(sizeof(letters) - 1)];
    out[len] = '\0';
}

static json_t *secret_of(const struct token *t, int hours)
{
    char expiration[TIME_TEXT_SIZE];
    time_format(clock_wall_usec() + hours * INT64_C(3600000000), expiration);
    return json_pack("{s:{s:s+, s:s}, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "metadata", "name", "bootstrap-token-",
                     t->id, "namespace", "kube-system", "type", "bootstrap.kubernetes.io/token", "stringData",
                     "token-id", t->id, "token-secret", t->secret, "expiration", expiration,
                     "usage-bootstrap-authentication", "true", "usage-bootstrap-signing", "true", "auth-extra-groups",
                     "system:bootstrappers:kubeadm:default-node-token");
}

struct answer {
    int code;
    char message[400];
};

static void on_created(void *arg, int code, const json_t *body)
{
    struct answer *a = arg;
    a->code = code;
    snprintf(a->message, sizeof(a->message), "%s", jstr_or(body, "message", "the API does not answer"));
}

static int create(const struct token *t, int hours, const struct access *access, struct err *err)
{
    uv_loop_t loop;
    struct answer answer = {0};
    uv_loop_init(&loop);
    struct client *c = access_client(access, &loop);
    _cleanup_json_ json_t *secret = secret_of(t, hours);
    client_create(c, &kind_secret, "kube-system", secret, on_created, &answer);
    uv_run(&loop, UV_RUN_DEFAULT);
    client_free(c);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return answer.code == 201 ? 0 : err_set(err, 0, "%s", answer.message);
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
    _cleanup_json_ json_t *state = runstate_load();
    const char *url = jstr(state, "url"), *data_dir = jstr_or(state, "dataDir", "");
    if (!url || !runstate_is_running())
        return err_set(err, 0, "no server is running here");
    struct access access;
    struct token t;
    _cleanup_free_ char *ca = xasprintf("%s/pki/ca.crt", data_dir);
    random_word(t.id, TOKEN_ID);
    random_word(t.secret, TOKEN_SECRET);
    int result = access_read(&access, jstr_or(state, "kubeconfig", ""), KUBECONFIG_ENTRY, err) < 0
                     ? -1
                     : create(&t, o->hours, &access, err);
    access_done(&access);
    return result < 0 ? -1 : print(&t, url, ca, o->print_join_command, err);
}

static int run(const void *options, char **args)
{
    struct err err;
    (void)args;
    if (create_and_print(options, &err) == 0)
        return 0;
    fprintf(stderr, "c8s token create: %s\n", err.msg);
    return 1;
}

static const struct opt opts[] = {
    {"hours", "N", OPT_INT, offsetof(struct token_options, hours), 1, 24 * 365, "how long it can be used (24)"},
    {"print-join-command", NULL, OPT_FLAG, offsetof(struct token_options, print_join_command), 0, 0,
     "the command that makes another machine a node"},
    {0},
};
const struct command command_token_create = {
    .name = "token create",
    .arguments = "",
    .summary = "Makes a token with which machines may join the cluster that runs here.",
    .opts = opts,
    .run = run,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
