/* Secrets that hold a ServiceAccount's token, on a real server with the controllers that they need. */
#include "control/list.h"
#include "server_world.h"

#define SECRETS "/api/v1/namespaces/default/secrets"
#define ACCOUNTS "/api/v1/namespaces/default/serviceaccounts"
#define TYPE "\"type\":\"kubernetes.io/service-account-token\""
#define OF(account) "\"annotations\":{\"kubernetes.io/service-account.name\":\"" account "\"}"

static struct controllers *controllers;
static struct client *manager;

static void start_controllers(void)
{
    static const char *const groups[] = {"system:authenticated", NULL};
    manager = server_local_client(world.server, "system:kube-controller-manager", groups);
    controllers = controllers_new(manager);
    controllers_add(controllers, &serviceaccount_controller);
    controllers_add(controllers, &rootca_controller);
    controllers_add(controllers, &accountsecret_controller);
    controllers_start(controllers);
}

/* Asks until the Secret has a token, or (gone) until there is none. */
static void wait_for(const char *target, bool gone)
{
    int64_t limit = clock_mono_ms() + TIME_LIMIT_MS;
    int code;
    do
        code = get(target);
    while ((gone ? code != 404 : !text("data.token")) && clock_mono_ms() < limit);
    T_INT(code, gone ? 404 : 200);
}

static char *decoded(const char *key)
{
    size_t len;
    const char *coded = json_string_value(json_object_get(jget(answer.doc, "data"), key));
    _cleanup_free_ char *bytes = base64_decode(coded, strlen(coded), &len);
    return xstrndup(bytes, len);
}

static int get_with(const char *token, const char *target)
{
    _cleanup_free_ char *header = xasprintf("Bearer %s", token);
    bearer_header = header;
    int code = ask_as(world.anonymous, "GET", target, NULL, NULL, NULL);
    bearer_header = NULL;
    return code;
}

TEST(a_secret_gets_its_accounts_token)
{
    T_INT(post(ACCOUNTS, "{\"metadata\":{\"name\":\"robot\"}}"), 201);
    _cleanup_free_ char *uid = xstrdup(text("metadata.uid"));
    T_INT(post(SECRETS, "{\"metadata\":{\"name\":\"robot-key\"," OF("robot") "}," TYPE "}"), 201);
    wait_for(SECRETS "/robot-key", false);
    _cleanup_free_ char *token = decoded("token"), *ns = decoded("namespace"), *ca = decoded("ca.crt");
    T_STR(ns, "default");
    T_TRUE(str_after(ca, "-----BEGIN CERTIFICATE-----") != NULL);
    T_STR(json_string_value(
              json_object_get(jget(answer.doc, "metadata.annotations"), "kubernetes.io/service-account.uid")),
          uid);
    T_INT(get_with(token, "/version"), 200);
    T_INT(get_with(token, PODS), 403);
    T_TRUE(strstr(text("message"), "system:serviceaccount:default:robot") != NULL);
    T_INT(delete (SECRETS "/robot-key", NULL), 200);
    T_INT(get_with(token, "/version"), 401);
}

TEST(it_goes_with_its_account)
{
    T_INT(post(SECRETS, "{\"metadata\":{\"name\":\"again\"," OF("robot") "}," TYPE "}"), 201);
    wait_for(SECRETS "/again", false);
    T_INT(post(SECRETS, "{\"metadata\":{\"name\":\"bystander\"}}"), 201);
    T_INT(delete (ACCOUNTS "/robot", NULL), 200);
    wait_for(SECRETS "/again", true);
    T_INT(post(SECRETS, "{\"metadata\":{\"name\":\"nobodys\"," OF("nobody") "}," TYPE "}"), 201);
    wait_for(SECRETS "/nobodys", true);
    T_INT(get(SECRETS "/bystander"), 200);
}

int main(void)
{
    make_world();
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"first\"}}"), 201); /* the default roles are durable before this is */
    start_controllers();
    RUN(a_secret_gets_its_accounts_token);
    RUN(it_goes_with_its_account);
    controllers_free(controllers);
    client_free(manager);
    end_world();
    return DONE();
}
