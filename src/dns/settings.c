/* See settings.h. */
#include "dns/settings.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "dns/corefile.h"
#include "json/yaml.h"

#define TTL_DEFAULT 5    /* a change reaches every client this soon */
#define CACHE_DEFAULT 30 /* as cluster DNS usually has it */

static int read_seconds(const char *text, int64_t *ret, struct err *err)
{
    _cleanup_free_ char *number = xstrndup(text, strcspn(text, "\n"));
    return str_to_i64(number, 0, SECONDS_MAX, ret) ? 0 : err_set(err, 0, "not 0 to %d seconds", SECONDS_MAX);
}

static int read_ttl(struct settings *s, const char *text, struct err *err)
{
    int64_t seconds;
    if (read_seconds(text, &seconds, err) < 0)
        return -1;
    s->ttl = (uint32_t)seconds;
    return 0;
}

static int read_cache(struct settings *s, const char *text, struct err *err)
{
    int64_t seconds;
    if (read_seconds(text, &seconds, err) < 0)
        return -1;
    s->cache_seconds = (unsigned)seconds;
    return 0;
}

static int read_hosts(struct settings *s, const char *text, struct err *err)
{
    hosts_free(s->hosts);
    s->hosts = hosts_new(text, err);
    return s->hosts ? 0 : -1;
}

int settings_server(char **ret, const char *text, struct err *err)
{
    struct upstream ignored;
    if (!upstream_parse(text, &ignored))
        return err_set(err, 0, "\"%s\" is no address of a server", text);
    *ret = xstrdup(text);
    return 0;
}

/* A list of addresses, or one. */
static int read_servers(const json_t *list, char **ret, struct err *err)
{
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    if (!n || n > UPSTREAMS_MAX)
        return err_set(err, 0, "not one to %d addresses", UPSTREAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_is_array(list) ? json_array_get(list, i) : list);
        if (!text)
            return err_set(err, 0, "a value is no address of a server");
        if (settings_server(&ret[i], text, err) < 0)
            return -1;
    }
    return 0;
}

static void free_servers(char **servers)
{
    for (; *servers; servers++)
        free(TAKE(*servers));
}

static void forget_stubs(struct settings *s)
{
    for (size_t i = 0; i < s->n_stubs; i++)
        free_servers(s->stubs[i].servers);
    free(TAKE(s->stubs));
    s->n_stubs = 0;
}

struct stub *settings_add_stub(struct settings *s, const char *domain, struct err *err)
{
    struct stub stub = {0};
    if (!knot_dname_from_str(stub.domain, domain, sizeof(stub.domain)) || stub.domain[0] == 0) {
        err_set(err, 0, "\"%s\" is no domain", domain);
        return NULL;
    }
    if (s->n_stubs == STUBS_MAX) {
        err_set(err, 0, "more than %d domains have servers of their own", STUBS_MAX);
        return NULL;
    }
    if (!s->stubs)
        s->stubs = xcalloc(STUBS_MAX, sizeof(*s->stubs));
    knot_dname_to_lower(stub.domain);
    s->stubs[s->n_stubs] = stub;
    return &s->stubs[s->n_stubs++];
}

static int read_upstreams(struct settings *s, const char *text, struct err *err)
{
    _cleanup_json_ json_t *list = yaml_parse(text, strlen(text), err);
    free_servers(s->upstreams);
    return list ? read_servers(list, s->upstreams, err) : -1;
}

static int read_stubs(struct settings *s, const char *text, struct err *err)
{
    const char *domain;
    json_t *servers;
    _cleanup_json_ json_t *map = yaml_parse(text, strlen(text), err);
    if (!map)
        return -1;
    if (!json_is_object(map) || json_object_size(map) > STUBS_MAX)
        return err_set(err, 0, "not a map from at most %d domains to their servers", STUBS_MAX);
    forget_stubs(s);
    json_object_foreach(map, domain, servers) {
        struct stub *stub = settings_add_stub(s, domain, err);
        if (!stub)
            return -1;
        if (read_servers(servers, stub->servers, err) < 0)
            return err_wrap(err, "%s", domain);
    }
    return 0;
}

static const struct {
    const char *key;
    int (*read)(struct settings *s, const char *text, struct err *err);
} readers[] = {
    {"Corefile", corefile_read}, /* first: the others go before it */
    {"cacheSeconds", read_cache},
    {"hosts", read_hosts},
    {"stubDomains", read_stubs},
    {"ttl", read_ttl},
    {"upstreamNameservers", read_upstreams},
};

static bool is_setting(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        if (streq(key, readers[i].key))
            return true;
    return false;
}

static int read_all(struct settings *s, const json_t *data, struct err *err)
{
    const char *key;
    json_t *value;
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        const json_t *text = json_object_get(data, readers[i].key);
        if (text && readers[i].read(s, str_or(json_string_value(text), ""), err) < 0)
            return err_wrap(err, "data.%s", readers[i].key);
    }
    json_object_foreach((json_t *)data, key, value)
        if (!is_setting(key))
            return err_set(err, 0, "data.%s: there is no such setting", key);
    return 0;
}

struct settings *settings_new(const json_t *data, struct err *err)
{
    struct settings *s = NEW(struct settings);
    *s = (struct settings){.refs = 1, .ttl = TTL_DEFAULT, .cache_seconds = CACHE_DEFAULT};
    if (read_all(s, data, err) == 0)
        return s;
    settings_unref(s);
    return NULL;
}

struct settings *settings_ref(struct settings *s)
{
    s->refs++;
    return s;
}

void settings_unref(struct settings *s)
{
    if (!s || --s->refs)
        return;
    forget_stubs(s);
    free_servers(s->upstreams);
    hosts_free(s->hosts);
    free(s);
}

const struct stub *settings_stub(const struct settings *s, const knot_dname_t *name)
{
    const struct stub *best = NULL;
    for (const struct stub *stub = s->stubs; stub < s->stubs + s->n_stubs; stub++)
        if (knot_dname_in_bailiwick(name, stub->domain) >= 0 &&
            (!best || knot_dname_size(stub->domain) > knot_dname_size(best->domain)))
            best = stub;
    return best;
}
