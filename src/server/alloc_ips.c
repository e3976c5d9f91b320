/* Which address families a Service has, and its ClusterIPs. Rules: pkg/registry/core/service/storage/alloc.go
 * (initIPFamilyFields, allocClusterIPs, updateClusterIPs). */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "server/alloc_impl.h"

#define NONE "None"
#define RANGE_BITS_MAX 24 /* 2 MiB of bits; of larger ranges the first part is used */
#define RANGES_MAX 256    /* each is asked for every address; what is no longer used stays until the program ends */

/* --- numbers --- */

/* Neither the network's address nor, of IPv4, the broadcast address. */
static uint32_t range_size(const struct cidr *range)
{
    return (1u << (ip_bits(range->ip.family) - range->prefix)) - (range->ip.family == AF_INET ? 2 : 1);
}

static bool number_in(const struct service_range *r, const struct ip *ip, uint32_t *ret)
{
    uint32_t offset;
    if (!cidr_index(&r->cidr, ip, &offset) || offset < 1 || offset > range_size(&r->cidr))
        return false;
    *ret = offset - 1;
    return true;
}

/* --- ranges --- */

/* Another range's addresses are taken here as well. */
static void copy_taken(struct service_range *to, const struct service_range *from)
{
    bool inner = from->cidr.prefix >= to->cidr.prefix;
    const struct cidr *small = inner ? &from->cidr : &to->cidr, *large = inner ? &to->cidr : &from->cidr;
    uint32_t n, m;
    if (!cidr_covers(large, small))
        return;
    for (uint32_t i = 0; i < range_size(small); i++) {
        const struct ip ip = cidr_nth(small, i + 1);
        if (number_in(from, &ip, &n) && numalloc_has(from->numbers, n) && number_in(to, &ip, &m))
            numalloc_take(to->numbers, m);
    }
}

struct service_range *alloc_use_range(struct alloc *a, const struct cidr *cidr)
{
    int bits = ip_bits(cidr->ip.family) - cidr->prefix;
    struct cidr used = *cidr;
    if (bits > RANGE_BITS_MAX)
        used.prefix += bits - RANGE_BITS_MAX;
    for (size_t i = 0; i < a->n_ranges; i++)
        if (a->ranges[i].cidr.prefix == used.prefix && ip_equal(&a->ranges[i].cidr.ip, &used.ip)) {
            a->ranges[i].users++;
            return &a->ranges[i];
        }
    if (a->n_ranges == RANGES_MAX || range_size(&used) < 1)
        return NULL;
    a->ranges = xrealloc(a->ranges, (a->n_ranges + 1) * sizeof(*a->ranges));
    struct service_range *r = &a->ranges[a->n_ranges];
    uint32_t all = 1u << (ip_bits(used.ip.family) - used.prefix);
    *r = (struct service_range){used, numalloc_new(range_size(&used), ip_static_band(all)), 1};
    for (size_t i = 0; i < a->n_ranges; i++)
        copy_taken(r, &a->ranges[i]);
    a->n_ranges++;
    return r;
}

void alloc_ips_done(struct alloc *a)
{
    for (size_t i = 0; i < a->n_ranges; i++)
        numalloc_free(a->ranges[i].numbers);
    free(a->ranges);
    map_done(&a->own);
}

/* --- one address --- */

static bool is_covered(const struct alloc *a, const struct ip *ip)
{
    uint32_t n;
    for (size_t i = 0; i < a->n_ranges; i++)
        if (a->ranges[i].users && number_in(&a->ranges[i], ip, &n))
            return true;
    return false;
}

bool alloc_take_ip(struct alloc *a, const struct ip *ip, struct alloc_change *change)
{
    uint32_t n;
    for (size_t i = 0; i < a->n_ranges; i++)
        if (number_in(&a->ranges[i], ip, &n) && numalloc_has(a->ranges[i].numbers, n))
            return false;
    for (size_t i = 0; i < a->n_ranges; i++)
        if (number_in(&a->ranges[i], ip, &n))
            alloc_take(change, a->ranges[i].numbers, n);
    return true;
}

void alloc_release_ip(struct alloc *a, const struct ip *ip, struct alloc_change *change)
{
    uint32_t n;
    for (size_t i = 0; i < a->n_ranges; i++)
        if (number_in(&a->ranges[i], ip, &n))
            alloc_note(change, a->ranges[i].numbers, n, true);
}

/* From the first range of the family that has one left. */
static bool take_next_ip(struct alloc *a, int family, struct alloc_change *change, struct ip *ret)
{
    for (size_t i = 0; i < a->n_ranges; i++) {
        struct service_range *r = &a->ranges[i];
        uint32_t n;
        if (r->cidr.ip.family != family || !r->users || !numalloc_next(r->numbers, &n))
            continue;
        numalloc_release(r->numbers, n); /* taken with the others */
        *ret = cidr_nth(&r->cidr, n + 1);
        return alloc_take_ip(a, ret, change);
    }
    return false;
}

/* --- the document --- */

const char *alloc_cluster_ip(const json_t *service)
{
    const char *ip = jstr(service, "spec.clusterIP");
    if (ip && *ip)
        return ip;
    ip = json_string_value(json_array_get(jget(service, "spec.clusterIPs"), 0));
    return ip && *ip ? ip : NULL;
}

static bool is_headless(const json_t *service)
{
    return streq(str_or(alloc_cluster_ip(service), ""), NONE);
}

/* Its owner writes the endpoints, of any family. */
static bool is_free(const json_t *service)
{
    return is_headless(service) && !json_object_size(jget(service, "spec.selector"));
}

static const char *family_name(int family)
{
    return family == AF_INET6 ? "IPv6" : "IPv4";
}

static int family_of(const json_t *name)
{
    const char *text = str_or(json_string_value(name), "");
    return streq(text, "IPv4") ? AF_INET : streq(text, "IPv6") ? AF_INET6 : 0;
}

static bool has_policy(const json_t *service, const char *policy)
{
    return streq(jstr_or(service, "spec.ipFamilyPolicy", ""), policy);
}

static bool same(const json_t *doc, const json_t *old, const char *path)
{
    const json_t *now = jget(doc, path), *before = jget(old, path);
    return now && before ? json_equal(now, before) : !json_array_size(now) && !json_array_size(before);
}

static bool holds(const json_t *service, const struct ip *wanted)
{
    const json_t *list = jget(service, "spec.clusterIPs");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < (n ? n : 1); i++) {
        const char *text = n ? json_string_value(json_array_get(list, i)) : jstr(service, "spec.clusterIP");
        struct ip ip;
        if (text && ip_parse(text, &ip) && ip_equal(&ip, wanted))
            return true;
    }
    return false;
}

void alloc_release_ips(struct alloc *a, const json_t *old, const json_t *doc, struct alloc_change *change)
{
    const json_t *list = jget(old, "spec.clusterIPs");
    size_t n = json_array_size(list);
    if (!alloc_needs_ip(old))
        return;
    for (size_t i = 0; i < (n ? n : 1); i++) {
        const char *text = n ? json_string_value(json_array_get(list, i)) : jstr(old, "spec.clusterIP");
        struct ip ip;
        if (text && ip_parse(text, &ip) && !(doc && alloc_needs_ip(doc) && holds(doc, &ip)))
            alloc_release_ip(a, &ip, change);
    }
}

void alloc_inherit_ips(json_t *doc, const json_t *old)
{
    static const char *const fields[] = {"spec.clusterIP", "spec.clusterIPs"};
    const char *ip = jstr(doc, "spec.clusterIP"), *old_ip = jstr(old, "spec.clusterIP");
    json_t *ips = jget(doc, "spec.clusterIPs");
    if (ip && *ip && !streq_or_null(ip, old_ip) && (!ips || json_equal(ips, jget(old, "spec.clusterIPs"))))
        jset(doc, "spec.clusterIPs", json_pack("[s]", ip)); /* a writer who names only the singular */
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        json_t *value = jget(doc, fields[i]), *old_value = jget(old, fields[i]);
        bool empty = !value || (json_is_string(value) && !*json_string_value(value)) ||
                     (json_is_array(value) && !json_array_size(value));
        if (empty && old_value)
            jset(doc, fields[i], json_deep_copy(old_value));
    }
}

/* clusterIP and the first of clusterIPs are the same thing. */
static void name_both(json_t *doc)
{
    const char *ip = alloc_cluster_ip(doc);
    json_t *text = ip ? json_string(ip) : NULL; /* ip is the document's own */
    if (ip && !json_array_size(jget(doc, "spec.clusterIPs")))
        jset(doc, "spec.clusterIPs", json_pack("[O]", text));
    if (ip)
        jset(doc, "spec.clusterIP", text);
}

/* False: validation (kinds/servicerules.c) will say what is wrong, and nothing is handed out. */
static bool is_sound(const json_t *doc)
{
    const json_t *ips = jget(doc, "spec.clusterIPs"), *families = jget(doc, "spec.ipFamilies");
    int ip_families[FAMILIES_MAX] = {0};
    if (json_array_size(ips) > FAMILIES_MAX || json_array_size(families) > FAMILIES_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(families); i++)
        if (!family_of(json_array_get(families, i)) ||
            (i && family_of(json_array_get(families, 0)) == family_of(json_array_get(families, i))))
            return false;
    if (!streq(str_or(json_string_value(json_array_get(ips, 0)), ""), jstr_or(doc, "spec.clusterIP", "")))
        return false;
    if (is_headless(doc))
        return json_array_size(ips) == 1;
    for (size_t i = 0; i < json_array_size(ips); i++) {
        struct ip ip;
        if (!ip_parse(str_or(json_string_value(json_array_get(ips, i)), ""), &ip) ||
            (i && ip.family == ip_families[0]) ||
            (i < json_array_size(families) && family_of(json_array_get(families, i)) != ip.family))
            return false;
        ip_families[i] = ip.family;
    }
    return true;
}

/* --- families --- */

static void forbid_policy(const json_t *doc, struct status_causes *causes, bool broken, const char *why)
{
    if (broken)
        causes_add(causes, CAUSE_INVALID, "spec.ipFamilyPolicy", jget(doc, "spec.ipFamilyPolicy"), "%s", why);
}

static bool is_reduced(const json_t *doc, const json_t *old, const char *path)
{
    size_t n = json_array_size(jget(doc, path));
    return n > 0 && n < json_array_size(jget(old, path));
}

/* As long as addresses and families have not changed, the policy alone says clearly what is wanted. */
static void drop_secondary(json_t *doc, const json_t *old)
{
    static const char *const lists[] = {"spec.clusterIPs", "spec.ipFamilies"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (json_array_size(jget(doc, lists[i])) > 1 && same(doc, old, lists[i]))
            json_array_remove(jget(doc, lists[i]), 1);
}

static void check_policy(const json_t *doc, const json_t *old, struct status_causes *causes)
{
    bool single = has_policy(doc, "SingleStack");
    forbid_policy(doc, causes, old && !single && is_reduced(doc, old, "spec.clusterIPs"),
                  "must be 'SingleStack' to release the secondary cluster IP");
    forbid_policy(doc, causes, old && !single && is_reduced(doc, old, "spec.ipFamilies"),
                  "must be 'SingleStack' to release the secondary IP family");
    forbid_policy(doc, causes, single && json_array_size(jget(doc, "spec.clusterIPs")) == 2,
                  "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
    forbid_policy(doc, causes, single && json_array_size(jget(doc, "spec.ipFamilies")) == 2,
                  "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
}

static json_t *families_of(json_t *doc)
{
    if (!jget(doc, "spec.ipFamilies"))
        jset(doc, "spec.ipFamilies", json_array());
    return jget(doc, "spec.ipFamilies");
}

/* From the addresses that are given. */
static void infer_families(const struct alloc *a, json_t *doc, struct status_causes *causes)
{
    json_t *families = families_of(doc), *ips = jget(doc, "spec.clusterIPs");
    for (size_t i = json_array_size(families); i < json_array_size(ips) && !is_headless(doc); i++) {
        struct ip ip;
        ip_parse(json_string_value(json_array_get(ips, i)), &ip);
        _cleanup_free_ char *field = xasprintf("spec.clusterIPs[%zu]", i);
        if (cidrs_of(&a->services, ip.family))
            json_array_append_new(families, json_string(family_name(ip.family)));
        else
            causes_add(causes, CAUSE_INVALID, field, ips, "%s is not configured on this cluster",
                       family_name(ip.family));
    }
}

static void check_configured(const struct alloc *a, json_t *doc, struct status_causes *causes)
{
    json_t *family;
    size_t i;
    forbid_policy(doc, causes, has_policy(doc, "RequireDualStack") && a->services.n < FAMILIES_MAX,
                  "this cluster is not configured for dual-stack services");
    json_array_foreach(families_of(doc), i, family) {
        _cleanup_free_ char *field = xasprintf("spec.ipFamilies[%zu]", i);
        if (!cidrs_of(&a->services, family_of(family)))
            causes_add(causes, CAUSE_INVALID, field, family, "not configured on this cluster");
    }
}

static void complete_policy(json_t *doc, const json_t *old)
{
    const char *before = old ? jstr(old, "spec.ipFamilyPolicy") : NULL;
    if (!jget(doc, "spec.ipFamilyPolicy"))
        jset_str(doc, "spec.ipFamilyPolicy", before ? before : is_free(doc) ? "RequireDualStack" : "SingleStack");
}

/* What cannot be becomes a cause. */
static void complete_families(const struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes)
{
    complete_policy(doc, old);
    if (old && has_policy(doc, "SingleStack"))
        drop_secondary(doc, old);
    check_policy(doc, old, causes);
    infer_families(a, doc, causes);
    if (!causes_any(causes) && !is_free(doc))
        check_configured(a, doc, causes);
    if (causes_any(causes))
        return;
    json_t *families = families_of(doc);
    if (!json_array_size(families))
        json_array_append_new(families, json_string(family_name(a->services.cidr[0].ip.family)));
    if (json_array_size(families) == 1 && !has_policy(doc, "SingleStack") &&
        (a->services.n == FAMILIES_MAX || is_free(doc)))
        json_array_append_new(families,
                              json_string(family_of(json_array_get(families, 0)) == AF_INET ? "IPv6" : "IPv4"));
}

/* A Service that prefers both is not changed because the cluster has changed, only when somebody changes it. */
static bool prefers_as_before(const json_t *doc, const json_t *old)
{
    return old && has_policy(doc, "PreferDualStack") && has_policy(old, "PreferDualStack") &&
           streq(jstr_or(doc, "spec.type", ""), jstr_or(old, "spec.type", "")) && same(doc, old, "spec.clusterIPs") &&
           same(doc, old, "spec.ipFamilies");
}

/* --- addresses --- */

static void take_given(struct alloc *a, const struct cidr *range, const json_t *ips, const char *text,
                       struct status_causes *causes, struct alloc_change *change)
{
    char range_text[CIDR_TEXT_SIZE];
    struct ip ip;
    ip_parse(text, &ip);
    if (!is_covered(a, &ip))
        causes_add(causes, CAUSE_INVALID, "spec.clusterIPs", ips,
                   "failed to allocate IP %s: the provided IP (%s) is not in the valid range. The range of valid IPs "
                   "is %s",
                   text, text, cidr_format(range, range_text));
    else if (!alloc_take_ip(a, &ip, change))
        causes_add(causes, CAUSE_INVALID, "spec.clusterIPs", ips,
                   "failed to allocate IP %s: provided IP is already allocated", text);
}

static bool is_kept(const json_t *old, const char *text)
{
    struct ip ip;
    return old && alloc_needs_ip(old) && ip_parse(text, &ip) && holds(old, &ip);
}

static int take_ips(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
                    struct alloc_change *change, struct err *err)
{
    json_t *given = jget(doc, "spec.clusterIPs"), *families = jget(doc, "spec.ipFamilies"), *ips = json_array();
    for (size_t i = 0; i < json_array_size(families); i++) {
        const struct cidr *range = cidrs_of(&a->services, family_of(json_array_get(families, i)));
        const char *text = json_string_value(json_array_get(given, i));
        char next[IP_TEXT_SIZE];
        struct ip ip;
        if (!text) {
            if (!take_next_ip(a, range->ip.family, change, &ip)) {
                json_decref(ips);
                return err_set(err, 0, "failed to allocate a serviceIP: range is full");
            }
            text = ip_format(&ip, next);
        } else if (!is_kept(old, text)) {
            take_given(a, range, given, text, causes, change);
        }
        json_array_append_new(ips, json_string(text));
    }
    jset(doc, "spec.clusterIP", json_incref(json_array_get(ips, 0)));
    jset(doc, "spec.clusterIPs", ips);
    return 0;
}

int alloc_ips(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
              struct alloc_change *change, struct err *err)
{
    if (alloc_needs_ip(doc)) {
        name_both(doc);
        if (!is_sound(doc))
            return 0;
        if (prefers_as_before(doc, old))
            return 0;
        complete_families(a, doc, old, causes);
        if (!causes_any(causes) && !is_headless(doc) && take_ips(a, doc, old, causes, change, err) < 0)
            return -1;
    }
    if (old)
        alloc_release_ips(a, old, doc, change);
    return 0;
}
