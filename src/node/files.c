/* See files.h. Upstream: pkg/kubelet/kubelet_pods.go and pkg/kubelet/network/dns/dns.go. */
#include "node/files.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/str.h"

#define FILE_MAX (256 << 10)
#define HOSTNAME_LEN_MAX 63
/* glibc before 2.26 took no more; upstream's limits today, so that a pod is cut as kubelet cuts it. */
#define NAMESERVERS_MAX 3
#define SEARCHES_MAX 32
#define SEARCH_CHARS_MAX 2048

/* --- hosts --- */

static void add_aliases(struct buf *b, const json_t *pod)
{
    const json_t *aliases = jget(pod, "spec.hostAliases");
    json_t *alias, *name;
    size_t i, j;
    if (json_array_size(aliases) == 0)
        return;
    buf_adds(b, "\n# Entries added by HostAliases.\n");
    json_array_foreach((json_t *)aliases, i, alias) {
        buf_adds(b, jstr_or(alias, "ip", ""));
        json_array_foreach(jget(alias, "hostnames"), j, name)
            buf_addf(b, "\t%s", str_or(json_string_value(name), ""));
        buf_addc(b, '\n');
    }
}

char *files_hosts(const json_t *pod, const char *hostname, const char *pod_ips, const char *cluster_domain)
{
    const char *subdomain = jstr_or(pod, "spec.subdomain", "");
    char ip[IP_TEXT_SIZE];
    struct buf b = BUF_INIT(FILE_MAX);
    buf_adds(&b, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                 "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
    while (ips_next(&pod_ips, ip)) {
        buf_adds(&b, ip);
        if (*subdomain)
            buf_addf(&b, "\t%s.%s.%s.svc.%s", hostname, subdomain, jstr_or(pod, "metadata.namespace", ""),
                     cluster_domain);
        buf_addf(&b, "\t%s\n", hostname);
    }
    add_aliases(&b, pod);
    return buf_take(&b);
}

char *files_hosts_of_node(const json_t *pod, const char *node_hosts)
{
    struct buf b = BUF_INIT(FILE_MAX);
    buf_adds(&b, "# Kubernetes-managed hosts file (host network).\n");
    buf_adds(&b, node_hosts);
    add_aliases(&b, pod);
    return buf_take(&b);
}

/* --- resolv.conf --- */

struct dns {
    json_t *nameservers, *searches, *options; /* arrays of strings, without doubles */
};

static void add_unique(json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (streq(str_or(json_string_value(item), ""), text))
            return;
    json_array_append_new(list, json_string(text));
}

/* An option replaces another of the same name: "ndots:2" over "ndots:5". */
static void set_option(json_t *list, const char *text)
{
    size_t i, len = strcspn(text, ":");
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *old = str_or(json_string_value(item), "");
        if (strcspn(old, ":") == len && strncmp(old, text, len) == 0) {
            json_array_set_new(list, i, json_string(text));
            return;
        }
    }
    json_array_append_new(list, json_string(text));
}

/* One line of a resolv.conf. `search` replaces what an earlier line said. */
static void read_line(struct dns *d, char *line)
{
    char *save, *word = strtok_r(line, " \t\r", &save);
    if (!word)
        return;
    bool search = streq(word, "search") || streq(word, "domain"), options = streq(word, "options");
    if (search)
        json_array_clear(d->searches);
    if (!search && !options && !streq(word, "nameserver"))
        return;
    while ((word = strtok_r(NULL, " \t\r", &save))) {
        if (options)
            set_option(d->options, word);
        else
            add_unique(search ? d->searches : d->nameservers, word);
    }
}

static void read_node(struct dns *d, const char *text)
{
    _cleanup_free_ char **lines = str_split(text, '\n', NULL);
    for (char **line = lines; *line; line++)
        read_line(d, *line);
}

static void use_cluster(struct dns *d, const json_t *pod, const char *cluster_dns, const char *domain)
{
    _cleanup_json_ json_t *of_node = d->searches;
    const char *ns = jstr_or(pod, "metadata.namespace", "");
    _cleanup_free_ char *of_ns = xasprintf("%s.svc.%s", ns, domain), *of_svc = xasprintf("svc.%s", domain);
    json_t *item;
    size_t i;
    json_array_clear(d->nameservers);
    json_array_clear(d->options);
    add_unique(d->nameservers, cluster_dns);
    set_option(d->options, "ndots:5");
    d->searches = json_array();
    add_unique(d->searches, of_ns);
    add_unique(d->searches, of_svc);
    add_unique(d->searches, domain);
    json_array_foreach(of_node, i, item)
        if (!streq(str_or(json_string_value(item), ""), "."))
            add_unique(d->searches, str_or(json_string_value(item), ""));
}

static void add_config(struct dns *d, const json_t *config)
{
    json_t *item;
    size_t i;
    json_array_foreach(jget(config, "nameservers"), i, item)
        add_unique(d->nameservers, str_or(json_string_value(item), ""));
    json_array_foreach(jget(config, "searches"), i, item)
        add_unique(d->searches, str_or(json_string_value(item), ""));
    json_array_foreach(jget(config, "options"), i, item) {
        const char *value = jstr(item, "value");
        _cleanup_free_ char *text =
            xasprintf("%s%s%s", jstr_or(item, "name", ""), value ? ":" : "", value ? value : "");
        set_option(d->options, text);
    }
}

static void add_words(struct buf *b, const char *keyword, const json_t *words, size_t max, size_t max_chars)
{
    size_t i, chars = 0;
    json_t *word;
    json_array_foreach((json_t *)words, i, word) {
        chars += json_string_length(word) + (i > 0);
        if (i == max || chars > max_chars)
            break;
        buf_addf(b, "%s%s", i == 0 ? keyword : " ", json_string_value(word));
    }
    if (json_array_size(words) > 0)
        buf_addc(b, '\n');
}

static char *print_dns(const struct dns *d)
{
    struct buf b = BUF_INIT(FILE_MAX);
    json_t *item;
    size_t i;
    add_words(&b, "search ", d->searches, SEARCHES_MAX, SEARCH_CHARS_MAX);
    json_array_foreach(d->nameservers, i, item)
        if (i < NAMESERVERS_MAX)
            buf_addf(&b, "nameserver %s\n", json_string_value(item));
    add_words(&b, "options ", d->options, SIZE_MAX, SIZE_MAX);
    return b.data ? buf_take(&b) : xstrdup("");
}

char *files_resolv_conf(const json_t *pod, const char *cluster_dns, const char *cluster_domain,
                        const char *node_resolv_conf)
{
    struct dns d = {json_array(), json_array(), json_array()};
    const char *policy = jstr_or(pod, "spec.dnsPolicy", "ClusterFirst");
    bool host_network = jbool(pod, "spec.hostNetwork", false);
    if (!streq(policy, "None"))
        read_node(&d, node_resolv_conf);
    if (streq(policy, "ClusterFirstWithHostNet") || (streq(policy, "ClusterFirst") && !host_network))
        use_cluster(&d, pod, cluster_dns, cluster_domain);
    add_config(&d, jget(pod, "spec.dnsConfig"));
    char *text = print_dns(&d);
    json_decref(d.nameservers);
    json_decref(d.searches);
    json_decref(d.options);
    return text;
}

char *files_hostname(const json_t *pod, const char *node_name)
{
    if (jbool(pod, "spec.hostNetwork", false))
        return xstrdup(node_name);
    const char *wanted = jstr_or(pod, "spec.hostname", "");
    char *name = xstrndup(*wanted ? wanted : jstr_or(pod, "metadata.name", ""), HOSTNAME_LEN_MAX);
    for (size_t n = strlen(name); n > 0 && (name[n - 1] == '-' || name[n - 1] == '.'); n--)
        name[n - 1] = '\0';
    return name;
}
