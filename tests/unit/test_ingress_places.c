/* ingress: where Ingresses are said to be served, and the Secrets that are followed for them. */
#include "fake_client.h"
#include "ingress/places.h"
#include "ingress/secrets.h"
#include "ingress/status.h"
#include "doc.h"

static uv_loop_t loop;
static struct fake *fake;
static struct informer *nodes;

static void settle(void)
{
    do
        uv_run(&loop, UV_RUN_NOWAIT);
    while (!fake_idle(fake));
}

static void setup(void)
{
    uv_loop_init(&loop);
    fake = fake_new(&loop, 1);
    nodes = informer_new(&fake->client, &kind_node, NULL);
    informer_start(nodes);
}

static void teardown(void)
{
    informer_free(nodes);
    client_free(&fake->client);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

static void set_node(const char *name, const char *ip, const char *ready, const char *label)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\",\"labels\":{%s}},\"status\":{\"conditions\":[{\"type\":\"Ready\","
                  "\"status\":\"%s\"}],\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"%s\"},"
                  "{\"type\":\"Hostname\",\"address\":\"%s\"}]}}",
                  name, label, ready, ip, name);
    fake_set(fake, &kind_node, text);
}

static char *list(const struct ingress_node *own, size_t n)
{
    _cleanup_json_ json_t *places = places_list(own, n, nodes);
    return jprint(places);
}

TEST(nodes_that_say_so_serve_while_they_are_well)
{
    static const struct ingress_node own = {.ip = "192.0.2.1"};
    setup();
    set_node("c", "192.0.2.4", "True", "");
    set_node("b", "192.0.2.3", "True", "");
    set_node("a", "192.0.2.2", "Unknown", "");
    set_node("d", "192.0.2.5", "True", "\"node.kubernetes.io/exclude-from-external-load-balancers\":\"\"");
    set_node("e", "192.0.2.6", "True", "");
    settle();
    for (const char *const *name = (const char *const[]){"a", "b", "c", "d", NULL}; *name; name++)
        T_TRUE(!places_say(&fake->client, nodes, *name, true));
    T_TRUE(!places_say(&fake->client, nodes, "nowhere", true));
    T_TRUE(places_say(&fake->client, nodes, "e", false));
    settle();
    T_TRUE(places_say(&fake->client, nodes, "b", true));
    _cleanup_free_ char *three = list(&own, 1), *two = list(NULL, 0);
    T_STR(three, "[{\"ip\":\"192.0.2.1\"},{\"ip\":\"192.0.2.3\"},{\"ip\":\"192.0.2.4\"}]");
    T_STR(two, "[{\"ip\":\"192.0.2.3\"},{\"ip\":\"192.0.2.4\"}]");
    T_TRUE(!places_say(&fake->client, nodes, "c", false));
    settle();
    _cleanup_free_ char *one = list(NULL, 0);
    T_STR(one, "[{\"ip\":\"192.0.2.3\"}]");
    teardown();
}

#define INGRESS(name, status) "{\"metadata\":{\"namespace\":\"d\",\"name\":\"" name "\"},\"status\":{" status "}}"
#define AT(ip) "\"loadBalancer\":{\"ingress\":[{\"ip\":\"" ip "\"}]}"

static void expect_status(const char *name, const char *want)
{
    _cleanup_json_ json_t *doc = fake_json(fake, &kind_ingress, "d", name);
    _cleanup_json_ json_t *empty = json_object();
    const json_t *have = jget(doc, "status.loadBalancer");
    T_JSON(have ? have : empty, want);
}

static void publish(struct ingress_status *s, const char *name, bool served)
{
    _cleanup_json_ json_t *doc = fake_json(fake, &kind_ingress, "d", name);
    ingress_status_publish(s, doc, served);
    settle();
}

TEST(ingresses_show_where_they_are_served)
{
    setup();
    struct ingress_status s = {.client = &fake->client};
    fake_set(fake, &kind_ingress, INGRESS("ours", ""));
    fake_set(fake, &kind_ingress, INGRESS("theirs", AT("203.0.113.9")));
    fake_set(fake, &kind_ingress, INGRESS("left", AT("192.0.2.1")));
    T_TRUE(ingress_status_move(&s, t_doc("[{'ip':'192.0.2.1'}]")));
    T_TRUE(!ingress_status_move(&s, t_doc("[{'ip':'192.0.2.1'}]")));
    publish(&s, "ours", true);
    publish(&s, "theirs", false);
    publish(&s, "left", false);
    expect_status("ours", "{\"ingress\":[{\"ip\":\"192.0.2.1\"}]}");
    expect_status("theirs", "{\"ingress\":[{\"ip\":\"203.0.113.9\"}]}");
    expect_status("left", "{}");
    T_TRUE(ingress_status_move(&s, t_doc("[{'ip':'192.0.2.2'}]")));
    publish(&s, "ours", true);
    expect_status("ours", "{\"ingress\":[{\"ip\":\"192.0.2.2\"}]}");
    T_TRUE(ingress_status_move(&s, json_array()));
    publish(&s, "ours", true);
    publish(&s, "theirs", false);
    expect_status("ours", "{}");
    expect_status("theirs", "{\"ingress\":[{\"ip\":\"203.0.113.9\"}]}");
    ingress_status_done(&s);
    teardown();
}

static void count(void *arg)
{
    ++*(int *)arg;
}

TEST(named_secrets_are_followed_and_no_others)
{
    setup();
    int changes = 0;
    struct secrets *s = secrets_new(&fake->client, count, &changes);
    _cleanup_json_ json_t *one = t_doc("{'metadata':{'namespace':'d'},'spec':{'tls':[{'secretName':'a'},{}]}}");
    _cleanup_json_ json_t *two = t_doc("{'metadata':{'namespace':'d'},'spec':{'tls':[{'secretName':'b'}]}}");
    const json_t *const both[] = {one, two};
    fake_set(fake, &kind_secret, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"a\"}}");
    T_TRUE(secrets_follow(s, both, 0));
    T_TRUE(!secrets_follow(s, both, 2));
    settle();
    T_TRUE(changes > 0 && secrets_follow(s, both, 2));
    T_TRUE(secrets_get(s, "d", "a") && !secrets_get(s, "d", "b") && !secrets_get(s, "e", "a"));
    changes = 0;
    fake_set(fake, &kind_secret, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"b\"}}");
    settle();
    T_TRUE(changes > 0 && secrets_get(s, "d", "b"));
    T_TRUE(secrets_follow(s, both + 1, 1));
    T_TRUE(!secrets_get(s, "d", "a") && secrets_get(s, "d", "b"));
    secrets_free(s);
    teardown();
}

int main(void)
{
    RUN(nodes_that_say_so_serve_while_they_are_well);
    RUN(ingresses_show_where_they_are_served);
    RUN(named_secrets_are_followed_and_no_others);
    return DONE();
}
