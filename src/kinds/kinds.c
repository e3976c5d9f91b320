/* The list of kinds and the ways to find one in it. The built-in ones are a table; those that definitions make come and
 * go behind it. Loop thread only. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

static const struct kind *const built_in[] = {
    &kind_componentstatus,
    &kind_configmap,
    &kind_endpoints,
    &kind_event,
    &kind_limitrange,
    &kind_namespace,
    &kind_node,
    &kind_persistentvolumeclaim,
    &kind_persistentvolume,
    &kind_pod,
    &kind_podtemplate,
    &kind_replicationcontroller,
    &kind_resourcequota,
    &kind_secret,
    &kind_serviceaccount,
    &kind_service,
    &kind_controllerrevision,
    &kind_daemonset,
    &kind_deployment,
    &kind_replicaset,
    &kind_statefulset,
    &kind_autoscaler,
    &kind_autoscaler_v1,
    &kind_cronjob,
    &kind_job,
    &kind_cronjob_v1beta1,
    &kind_apiservice,
    &kind_customresourcedefinition,
    &kind_tokenreview,
    &kind_selfsubjectreview,
    &kind_localsubjectaccessreview,
    &kind_selfsubjectaccessreview,
    &kind_selfsubjectrulesreview,
    &kind_subjectaccessreview,
    &kind_certificatesigningrequest,
    &kind_lease,
    &kind_priorityclass,
    &kind_endpointslice,
    &kind_endpointslice_v1beta1,
    &kind_event_new,
    &kind_flowschema,
    &kind_prioritylevelconfiguration,
    &kind_ingressclass,
    &kind_ingress,
    &kind_ipaddress,
    &kind_networkpolicy,
    &kind_servicecidr,
    &kind_ingress_v1beta1,
    &kind_ipaddress_v1beta1,
    &kind_servicecidr_v1beta1,
    &kind_ingress_extensions,
    &kind_runtimeclass,
    &kind_csidriver,
    &kind_csinode,
    &kind_csistoragecapacity,
    &kind_storageclass,
    &kind_volumeattachment,
    &kind_poddisruptionbudget,
    &kind_poddisruptionbudget_v1beta1,
    &kind_mutatingwebhook,
    &kind_admissionpolicy,
    &kind_admissionpolicybinding,
    &kind_validatingwebhook,
    &kind_clusterrolebinding,
    &kind_clusterrole,
    &kind_rolebinding,
    &kind_role,
    &kind_nodemetrics,
    &kind_podmetrics,
    NULL,
};

const struct kind *const *all_kinds = built_in;

/* --- finding: by "GROUP/VERSION/PLURAL" and "GROUP/VERSION Kind" --- */

#define LOOKUP_KEY_SIZE 640 /* a group of 253 bytes, a version and a plural of 63 */

static struct map lookup;

static void key_of_resource(char key[LOOKUP_KEY_SIZE], const char *group, const char *version, const char *plural)
{
    snprintf(key, LOOKUP_KEY_SIZE, "%s/%s/%s", group, version, plural);
}

static void key_of_type(char key[LOOKUP_KEY_SIZE], const char *api_version, const char *kind_name)
{
    snprintf(key, LOOKUP_KEY_SIZE, "%s %s", api_version, kind_name);
}

static void rebuild_lookup(void)
{
    map_clear(&lookup);
    for (const struct kind *const *k = all_kinds; *k; k++) {
        char key[LOOKUP_KEY_SIZE], api_version[API_VERSION_SIZE];
        key_of_resource(key, (*k)->group, (*k)->version, (*k)->plural);
        map_put(&lookup, key, (void *)*k);
        key_of_type(key, kind_api_version(*k, api_version), (*k)->kind);
        map_put(&lookup, key, (void *)*k);
    }
}

static const struct kind *find(const char *key)
{
    if (!lookup.len)
        rebuild_lookup();
    return map_get(&lookup, key);
}

const struct kind *kind_by_resource(const char *group, const char *version, const char *plural)
{
    char key[LOOKUP_KEY_SIZE];
    key_of_resource(key, group, version, plural);
    return find(key);
}

const struct kind *kind_by_api_version(const char *api_version, const char *kind_name)
{
    char key[LOOKUP_KEY_SIZE];
    key_of_type(key, api_version, kind_name);
    return find(key);
}

/* --- kinds that come and go --- */

static struct map reserved;       /* "GROUP/PLURAL" or "GROUP/PLURAL/VERSION" -> struct kind */
static const struct kind **lists; /* what all_kinds points to once it is no longer built_in alone */
static unsigned long generation;

struct kind *kind_reserve(const char *group, const char *plural, const char *version)
{
    _cleanup_free_ char *key = xasprintf("%s/%s%s%s", group, plural, version ? "/" : "", version ? version : "");
    struct kind *k = map_get(&reserved, key);
    if (k)
        return k;
    k = NEW(struct kind);
    *k = (struct kind){.group = xstrdup(group), .plural = xstrdup(plural), .version = "", .kind = "", .singular = ""};
    k->stored_as = version ? NULL : xstrdup(key);
    map_put(&reserved, key, k);
    return k;
}

const struct kind *kind_reserved(const char *stored_as)
{
    return map_get(&reserved, stored_as);
}

/* v2, v1, v1beta2, v1alpha1, and names of another form behind them: which one kubectl prefers (apimachinery
 * CompareKubeAwareVersionStrings). */
struct version_rank {
    int stage; /* 3: stable, 2: beta, 1: alpha, 0: of another form */
    unsigned major, minor;
};

static struct version_rank rank(const char *version)
{
    struct version_rank r = {0};
    char stage[6] = "";
    int len = 0, n = sscanf(version, "v%u%n%5[a-z]%u%n", &r.major, &len, stage, &r.minor, &len);
    if (n >= 1 && !version[len])
        r.stage = n == 1 ? 3 : streq(stage, "beta") ? 2 : streq(stage, "alpha");
    return r;
}

static bool is_preferred(const char *version, const char *to)
{
    struct version_rank a = rank(version), b = rank(to);
    if (a.stage != b.stage)
        return a.stage > b.stage;
    if (!a.stage)
        return strcmp(version, to) < 0;
    return a.major != b.major ? a.major > b.major : a.minor > b.minor;
}

static bool goes_before(const struct kind *k, const struct kind *other)
{
    return k && (other->stored_as || (other->stored && other->stored->stored_as)) && streq(k->group, other->group) &&
           is_preferred(k->version, other->version);
}

/* The list anew without what is to go and with what is to come: the preferred version of a group comes first. */
static void replace(const struct kind *gone, const struct kind *come)
{
    size_t n = 0;
    while (all_kinds[n])
        n++;
    const struct kind **anew = xcalloc(n + 2, sizeof(*anew));
    size_t len = 0;
    const struct kind *rest = come;
    for (size_t i = 0; i < n; i++) {
        if (all_kinds[i] == gone || all_kinds[i] == come)
            continue;
        if (goes_before(rest, all_kinds[i]))
            anew[len++] = TAKE(rest);
        anew[len++] = all_kinds[i];
    }
    anew[len] = rest;
    free(lists);
    all_kinds = lists = anew;
    generation++;
    map_clear(&lookup);
}

void kind_list(const struct kind *k)
{
    replace(NULL, k);
}

void kind_unlist(const struct kind *k)
{
    replace(k, NULL);
}

unsigned long kinds_generation(void)
{
    return generation;
}

/* --- versions and names --- */

const struct kind *kind_stored(const struct kind *k)
{
    return k && k->stored ? k->stored : k;
}

void kind_to_stored(const struct kind *k, json_t *doc)
{
    char text[API_VERSION_SIZE];
    if (!k->stored)
        return;
    if (k->to_stored)
        k->to_stored(doc);
    jset_str(doc, "apiVersion", kind_api_version(k->stored, text));
}

void kind_from_stored(const struct kind *k, json_t *doc)
{
    char text[API_VERSION_SIZE];
    if (k->from_stored)
        k->from_stored(doc);
    if (k->stored || k->stored_as)
        jset_str(doc, "apiVersion", kind_api_version(k, text));
}

char *kind_api_version(const struct kind *k, char out[API_VERSION_SIZE])
{
    snprintf(out, API_VERSION_SIZE, "%s%s%s", k->group, *k->group ? "/" : "", k->version);
    return out;
}

char *kind_path(const struct kind *k, const char *ns, const char *name, const char *sub)
{
    char api_version[API_VERSION_SIZE];
    bool in_ns = ns && *ns;
    return xasprintf("/%s/%s%s%s/%s%s%s%s%s", *k->group ? "apis" : "api", kind_api_version(k, api_version),
                     in_ns ? "/namespaces/" : "", in_ns ? ns : "", k->plural, name ? "/" : "", name ? name : "",
                     sub ? "/" : "", sub ? sub : "");
}
