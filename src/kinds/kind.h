/* What a kind is: tables. Everything that must know a kind (decoding, defaulting, validation, strategic merge, apply,
 * columns, discovery, OpenAPI) walks these tables and nothing else, so that adding a kind is one file here and one line
 * in kinds.c. Pure: no I/O, no state. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"

struct status_causes; /* api/status.h: where validation collects what is wrong */

enum field_type {
    F_STR,
    F_INT, /* int32 */
    F_INT64,
    F_BOOL,
    F_NUMBER,
    F_TIME,      /* metav1.Time, RFC 3339 */
    F_MICROTIME, /* metav1.MicroTime */
    F_QUANTITY,  /* resource.Quantity: string or number in, string out */
    F_INT_OR_STR,
    F_BYTES,  /* base64 text */
    F_OBJECT, /* .sub: the members */
    F_LIST,   /* .sub: one nameless row that describes the item */
    F_MAP,    /* string keys; .sub: one nameless row that describes the value */
    F_RAW,    /* any JSON (managedFields' fieldsV1, RawExtension) */
    F_TYPE_N
};

enum field_flags {
    REQ = 1 << 0,      /* must be there, and a string not empty */
    IMMUT = 1 << 1,    /* may not change after creation ("field is immutable") */
    NONEMPTY = 1 << 2, /* a list or map that, when required, needs a member */
    UNIQUE = 1 << 3,   /* list: the items' list_keys (or the scalar items) must differ: FieldValueDuplicate */
    RETAIN = 1 << 4,   /* strategic merge `retainKeys` (patchStrategy merge,retainKeys / retainKeys) */
    ATOMIC = 1 << 5,   /* list or map replaced as one in server-side apply (listType/mapType atomic) */
    NULLABLE = 1 << 6,
    OPT = 1 << 7,     /* zero values ("", 0, false, [], {}) mean missing: decoding drops them */
    REPLACE = 1 << 8, /* strategic merge `replace`: an object that a patch gives as a whole */
};
#define NO_MAX INT64_MAX /* as .max: only .min binds ("must be greater than or equal to MIN") */

struct field {
    const char *name; /* NULL ends a table of members; NULL in item and value rows */
    enum field_type type;
    unsigned flags;
    const struct field *sub;
    const char *dflt;         /* JSON text set where the field is missing */
    const char *const *oneof; /* NULL-terminated; else FieldValueNotSupported */
    int64_t min, max;      /* integers: checked when min or max is not 0 ("must be between MIN and MAX, inclusive") */
    int max_len;           /* strings: bytes; lists and maps: members. 0: no limit of its own */
    check_fn *check;       /* strings: format of the value */
    check_fn *check_key;   /* maps: format of the key */
    const char *merge_key; /* strategic merge key (patchMergeKey), "" for lists of scalars with patchStrategy merge */
    const char *list_keys; /* apply: "containerPort,protocol" (listType map), "" (listType set); NULL: atomic */
    const char *doc;       /* one sentence for `kubectl explain` */
};

/* A column of `kubectl get`. `cell` returns a new reference (string, integer or
 * boolean). Priority 0 always, 1 with -o wide. now_usec: wall clock, for ages. Upstream:
 * pkg/printers/internalversion/printers.go. */
struct column {
    const char *name, *type, *format; /* type: string, integer, boolean, date; format: "" or "name" */
    int priority;
    json_t *(*cell)(const json_t *obj, int64_t now_usec);
    const char *json_path; /* without .cell: where the value is; the type says how it is shown */
    const char *doc;       /* NULL: what table.c knows of columns of this name */
};

/* A field selector that this kind supports beside metadata.name and metadata.namespace. */
struct field_label {
    const char *label; /* as in ?fieldSelector= */
    const char *path;  /* in the object; a missing value compares as .otherwise */
    const char *otherwise;
};

enum kind_verbs {
    V_GET = 1 << 0,
    V_LIST = 1 << 1,
    V_WATCH = 1 << 2,
    V_CREATE = 1 << 3,
    V_UPDATE = 1 << 4,
    V_PATCH = 1 << 5,
    V_DELETE = 1 << 6,
    V_DELETECOLLECTION = 1 << 7,
    V_ALL = (1 << 8) - 1,
};

/* The scale subresource: where the numbers are. */
struct kind_scale {
    const char *replicas_path, *status_replicas_path;
    const char *selector_path; /* a LabelSelector, or a plain map when selector_is_map */
    bool selector_is_map;
    bool selector_is_text; /* a selector as it stands in queries */
};

struct kind {
    const char *group;   /* "" for core */
    const char *version; /* "v1" */
    const char *kind, *plural, *singular, *list_kind;
    const char *const *short_names, *const *categories; /* NULL-terminated or NULL */
    bool namespaced;
    unsigned verbs;
    const struct field *fields; /* the whole object but apiVersion and kind, metadata included (use FIELD_METADATA) */
    const struct column *columns;
    const struct field_label *field_labels; /* ends with a NULL label; may be NULL */
    check_fn *check_name;                   /* metadata.name; also its generateName form */
    bool has_status;                        /* the status subresource exists; a plain write cannot touch .status */
    bool is_review;      /* a question: answered in .status, never stored; has no status subresource */
    bool has_generation; /* metadata.generation counts the changes of everything but metadata and status */
    const struct kind_scale *scale;
    int ttl_seconds;                 /* forgotten this long after its .ttl_from; 0: kept */
    const char *ttl_from;            /* path of a time; where it is missing, the creation counts */
    int default_grace_seconds;       /* pods: deletion waits for the agent; 0: deletion is at once */
    const char *const *subresources; /* further ones, for discovery: "log", "exec", "binding"… */

    /* Hooks for what a row cannot say; all optional.
     * default_more: runs after the defaults of the table (defaults that depend on other fields).
     * prepare: before validation on create (old NULL) and update; sets what the server owns (spec of old kept, …).
     * validate: cross-field rules; old is NULL on create. Paths as upstream prints them ("spec.ports[0].name"). */
    void (*default_more)(json_t *obj);
    void (*prepare)(json_t *obj, const json_t *old);
    void (*validate)(const json_t *obj, const json_t *old, struct status_causes *causes);

    /* Another version of a kind: objects are kept as `stored` and converted where requests come in and answers leave,
     * so that nothing else knows of it. Decoding, discovery, columns and OpenAPI use this table; defaults, rules and
     * hooks are those of `stored`. NULL: kept as it is. */
    const struct kind *stored;
    void (*to_stored)(json_t *obj); /* both NULL: the versions differ by their names alone */
    void (*from_stored)(json_t *obj);

    /* Kinds made at run time. What the store calls the rows of such a kind, "GROUP/PLURAL", whatever version is kept;
     * NULL for built-in ones ("GROUP/VERSION/Kind"). */
    const char *stored_as;
    const json_t *schema; /* what their documents look like, for the walkers of kinds/custom.h; NULL: .fields says */
    const struct custom_expressions *expressions; /* the rules in that (kinds/customexpr.h), or NULL */
    const json_t *conversion; /* spec.conversion, when a webhook makes one version of another (server/conversion.h) */
    bool json_only;           /* no protobuf form of it is known */
    const char *deprecation;  /* a warning that goes with every answer; NULL: none */
};

/* NULL-terminated, in the order of discovery. Valid until a kind is listed or unlisted. */
extern const struct kind *const *all_kinds;

/* Kinds that are made at run time (CustomResourceDefinitions). Objects, watches and informers point to a kind for as
 * long as they like, so its struct is never freed and always the same for one group, plural and version; what it says
 * may change while it is not listed. Version NULL: the kind as it is kept; it has .stored_as. */
struct kind *kind_reserve(const char *group, const char *plural, const char *version);
/* By .stored_as, listed or not; NULL when nobody has reserved it. */
const struct kind *kind_reserved(const char *stored_as);
void kind_list(const struct kind *k); /* from now on it is found, served and described */
void kind_unlist(const struct kind *k);
/* Changes whenever a kind is listed or unlisted. */
unsigned long kinds_generation(void);

/* By group, version and plural (or "pods" with group ""); NULL when there is none. */
const struct kind *kind_by_resource(const char *group, const char *version, const char *plural);
/* By apiVersion ("v1", "apps/v1") and kind. */
const struct kind *kind_by_api_version(const char *api_version, const char *kind_name);
/* The version that is kept; NULL for NULL. */
const struct kind *kind_stored(const struct kind *k);
/* A document of version k becomes one of the version that is kept. */
void kind_to_stored(const struct kind *k, json_t *doc);
void kind_from_stored(const struct kind *k, json_t *doc); /* and back */
/* "v1" or "apps/v1", into out. Returns out. */
#define API_VERSION_SIZE 320 /* a group is a DNS subdomain (253), a version a label (63) */
char *kind_api_version(const struct kind *k, char out[API_VERSION_SIZE]);
/* "/api/v1/namespaces/NS/pods/NAME", "/apis/apps/v1/…"; ns NULL: across namespaces or cluster-scoped; name NULL: the
 * collection; sub NULL: no subresource. The caller frees. */
char *kind_path(const struct kind *k, const char *ns, const char *name, const char *sub);

/* Bodies that are no resource, and so in no list. */
extern const struct kind kind_tokenrequest;

/* The kinds that readers name in code. */
extern const struct kind kind_namespace, kind_node, kind_pod, kind_service, kind_endpoints, kind_endpointslice,
    kind_replicationcontroller, kind_replicaset, kind_deployment, kind_event, kind_configmap, kind_secret,
    kind_serviceaccount, kind_lease, kind_controllerrevision, kind_daemonset, kind_job, kind_statefulset,
    kind_tokenreview, kind_selfsubjectreview, kind_ingress, kind_ingressclass, kind_cronjob;
extern const struct kind kind_certificatesigningrequest, kind_customresourcedefinition;
extern const struct kind kind_role, kind_clusterrole, kind_rolebinding, kind_clusterrolebinding,
    kind_poddisruptionbudget;
extern const struct kind kind_mutatingwebhook, kind_validatingwebhook;
extern const struct kind kind_admissionpolicy, kind_admissionpolicybinding; /* the validating ones */
extern const struct kind kind_limitrange, kind_resourcequota, kind_priorityclass, kind_subjectaccessreview,
    kind_localsubjectaccessreview, kind_selfsubjectaccessreview, kind_selfsubjectrulesreview;
extern const struct kind kind_ingress_v1beta1, kind_ingress_extensions; /* versions of kind_ingress */
extern const struct kind kind_autoscaler, kind_networkpolicy, kind_persistentvolume, kind_persistentvolumeclaim,
    kind_podtemplate, kind_runtimeclass, kind_storageclass, kind_csidriver, kind_csinode, kind_csistoragecapacity,
    kind_volumeattachment;
extern const struct kind kind_flowschema, kind_prioritylevelconfiguration;
extern const struct kind kind_nodemetrics, kind_podmetrics, kind_componentstatus, kind_apiservice;
extern const struct kind kind_ipaddress, kind_ipaddress_v1beta1, kind_servicecidr, kind_servicecidr_v1beta1;
extern const struct kind kind_autoscaler_v1, kind_endpointslice_v1beta1, kind_event_new, kind_cronjob_v1beta1,
    kind_poddisruptionbudget_v1beta1;
