/* See settings.h. */
#include "dns/settings.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/yaml.h"

#define TTL_DEFAULT 5    /* a change reaches every client this soon */
#define CACHE_DEFAULT 30 /* as cluster DNS usually has it */
#define SECONDS_MAX 3600 /* as CoreDNS allows */

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
    s->hosts = hosts_new(text, err);
    return s->hosts ? 0 : -1;
}

/* A list of addresses, or one. */
static int read_servers(const json_t *list, char **ret, struct err *err)
{
    struct upstream ignored;
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    if (!n || n > UPSTREAMS_MAX)
        return err_set(err, 0, "not one to %d addresses", UPSTREAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_is_array(list) ? json_array_get(list, i) : list);
        if (!text || !upstream_parse(text, &ignored))
            return err_set(err, 0, "%s%s%s is no address of a server", text ? "\"" : "", str_or(text, "a value"),
                           text ? "\"" : "");
        ret[i] = xstrdup(text);
    }
    return 0;
}

static int read_upstreams(struct settings *s, const char *text, struct err *err)
{
    _cleanup_json_ json_t *list = yaml_parse(text, strlen(text), err);
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
    s->stubs = xcalloc(json_object_size(map) + 1, sizeof(*s->stubs));
    json_object_foreach(map, domain, servers) {
        struct stub *stub = &s->stubs[s->n_stubs++];
        if (!knot_dname_from_str(stub->domain, domain, sizeof(stub->domain)) || stub->domain[0] == 0)
            return err_set(err, 0, "\"%s\" is no domain", domain);
        knot_dname_to_lower(stub->domain);
        if (read_servers(servers, stub->servers, err) < 0)
            return err_wrap(err, "%s", domain);
    }
    return 0;
}

static const struct {
    const char *key;
    int (*read)(struct settings *s, const char *text, struct err *err);
} readers[] = {
    {"cacheSeconds", read_cache},
    {"hosts", read_hosts},
    {"stubDomains", read_stubs},
    {"ttl", read_ttl},
    {"upstreamNameservers", read_upstreams},
};

static int read_key(struct settings *s, const char *key, const json_t *value, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        if (streq(key, readers[i].key))
            return readers[i].read(s, str_or(json_string_value(value), ""), err) < 0 ? err_wrap(err, "data.%s", key)
                                                                                     : 0;
    return err_set(err, 0, "data.%s: there is no such setting", key);
}

struct settings *settings_new(const json_t *data, struct err *err)
{
    const char *key;
    json_t *value;
    struct settings *s = NEW(struct settings);
    *s = (struct settings){.refs = 1, .ttl = TTL_DEFAULT, .cache_seconds = CACHE_DEFAULT};
    json_object_foreach((json_t *)data, key, value) {
        if (read_key(s, key, value, err) == 0)
            continue;
        settings_unref(s);
        return NULL;
    }
    return s;
}

struct settings *settings_ref(struct settings *s)
{
    s->refs++;
    return s;
}

static void free_servers(char **servers)
{
    for (; *servers; servers++)
        free(*servers);
}

void settings_unref(struct settings *s)
{
    if (!s || --s->refs)
        return;
    for (size_t i = 0; i < s->n_stubs; i++)
        free_servers(s->stubs[i].servers);
    free_servers(s->upstreams);
    hosts_free(s->hosts);
    free(s->stubs);
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
