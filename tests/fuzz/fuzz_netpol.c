/* Any documents as a NetworkPolicy and, under "pod" and "namespace", the pod and namespace that it is about: what comes
 * out are commands of ours, and nothing that a label, a name or a range has smuggled into them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "netpol/enforcement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool fine)
{
    if (!fine)
        abort();
}

/* Each line is one of those we write. Between its quotes is whatever people have called things. */
static void check_commands(const char *text)
{
    static const char *const starts[] = {"add ",
                                         "delete ",
                                         "table inet c8s-policy {\n",
                                         "  ",
                                         " chain in_",
                                         " chain out_",
                                         " counter drop\n",
                                         " }\n",
                                         "}\n",
                                         "ip ",
                                         "ip6 ",
                                         "tcp ",
                                         "udp ",
                                         "sctp ",
                                         "meta l4proto ",
                                         "return "};
    for (const char *end; *text; text = end + 1) {
        bool known = false, quoted = false;
        end = strchr(text, '\n');
        demand(end != NULL);
        for (size_t i = 0; i < ARRAY_LEN(starts); i++)
            known |= str_after(text, starts[i]) != NULL;
        demand(known);
        for (const char *c = text; c < end; c++) {
            demand(*c >= ' ' && *c <= '~' && *c != '\\' && *c != '$' && *c != '#');
            quoted ^= *c == '"';
        }
        demand(!quoted);
    }
}

/* The member, or the document itself, as an object that the API would have let through as far as its names go. */
static struct object *object_of(const struct kind *k, const json_t *doc)
{
    _cleanup_json_ json_t *copy = json_deep_copy(doc);
    const char *name = jstr_or(doc, "metadata.name", ""), *ns = jstr_or(doc, "metadata.namespace", "");
    if (!json_is_object(copy))
        return NULL;
    if (!json_is_object(jget(copy, "metadata")))
        json_object_set_new(copy, "metadata", json_object());
    jset_str(copy, "metadata.name", *name ? name : "n");
    jset_str(copy, "metadata.namespace", k->namespaced ? (*ns ? ns : "n") : NULL);
    jset_str(copy, "metadata.uid", "u");
    jset_str(copy, "metadata.resourceVersion", "1");
    return object_new(k, copy);
}

static void take(struct enforcement *e)
{
    struct buf b = BUF_INIT(0);
    enforcement_take(e, &b);
    check_commands(buf_str(&b));
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    _cleanup_json_ json_t *doc = jparse((const char *)data, size, &err);
    struct enforcement_site site = {.node_name = "n1"};
    if (!json_is_object(doc))
        return 0;
    cidrs_parse("10.244.0.0/16,fd00::/64", &site.pods);
    ips_parse("10.96.0.10", &site.dns);
    struct enforcement *e = enforcement_new(&site);
    _cleanup_object_ struct object *policy = object_of(&kind_networkpolicy, doc),
                                   *pod = object_of(&kind_pod, jget(doc, "pod")),
                                   *ns = object_of(&kind_namespace, jget(doc, "namespace"));
    if (ns)
        enforcement_set_namespace(e, ns->name, ns);
    enforcement_set_policy(e, policy->ns, policy->name, policy);
    if (pod)
        enforcement_set_pod(e, pod->ns, pod->name, pod);
    take(e);
    if (pod)
        enforcement_set_pod(e, pod->ns, pod->name, NULL);
    take(e);
    enforcement_free(e);
    return 0;
}
