/* What every cluster has by itself: four namespaces with their accounts, roles, the CA, the Service of the API and that
 * of DNS, the classes of the Ingresses that it serves and of the volumes that it makes, two priority classes, flow
 * control. Written through the same way as everybody's objects, at every start: what is there is kept, what depends on
 * the configuration is brought up to date. */
#define LOG_AREA "server"
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/str.h"
#include "kinds/binding.h"
#include "kinds/ingress.h"
#include "kinds/priorityclass.h"
#include "kinds/servicecidr.h"
#include "server/apiservices.h"
#include "server/flow_defaults.h"
#include "server/pipeline.h"
#include "server/rbac_bootstrap.h"

#define DNS_PORT 53
#define API_SERVICE_PORT 443
#define CA_MAX 65536 /* bytes: a certificate is about one KiB */

/* --- the door: nobody waits for an answer --- */

struct boot_request {
    struct request r;
    struct user *user;
};

static void reply_object(struct request *r, int code, struct object *obj)
{
    (void)r, (void)code, (void)obj;
}

static void reply_document(struct request *r, int code, json_t *doc)
{
    if (code >= 300)
        log_error("cannot write %s: %s", r->path, jstr_or(doc, "message", "unknown reason"));
}

static void free_boot_request(struct request *r)
{
    struct boot_request *b = container_of(r, struct boot_request, r);
    user_free(b->user);
    free(b);
}

static const struct door boot_door = {.object = reply_object, .document = reply_document, .free = free_boot_request};

static void run(struct server *s, const char *method, char *path_take, enum body_type type, json_t *body_new)
{
    static const char *const groups[] = {"system:masters", NULL};
    struct boot_request *b = NEW(struct boot_request);
    b->user = user_new("system:apiserver", groups);
    b->user->in_process = true;
    b->r = (struct request){.server = s,
                            .door = &boot_door,
                            .user = b->user,
                            .method = xstrdup(method),
                            .path = path_take,
                            .query = xstrdup(""),
                            .body_type = type,
                            .body = body_new};
    json_t *status = request_begin(&b->r);
    if (status)
        request_reply_status(&b->r, status);
    else
        request_handle(&b->r);
}

/* Makes the object, or merges doc into the one that is there when it is to be kept current. */
static void ensure(struct server *s, const struct kind *k, json_t *doc_new, bool current)
{
    const char *ns = jstr_or(doc_new, "metadata.namespace", ""), *name = jstr(doc_new, "metadata.name");
    if (!store_latest(s->store, k, ns, name))
        run(s, "POST", kind_path(k, *ns ? ns : NULL, NULL, NULL), BODY_JSON, doc_new);
    else if (current)
        run(s, "PATCH", kind_path(k, *ns ? ns : NULL, name, NULL), BODY_MERGE_PATCH, doc_new);
    else
        json_decref(doc_new);
}

/* --- namespaces --- */

static void ensure_namespaces(struct server *s)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        ensure(s, &kind_namespace, json_pack("{s:{s:s}}", "metadata", "name", names[i]), false);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) /* as their controller would: pods may come at once */
        ensure(s, &kind_serviceaccount,
               json_pack("{s:{s:s, s:s}}", "metadata", "name", "default", "namespace", names[i]), false);
}

/* --- the CA --- */

/* What a machine that joins reads before it knows anybody: where the API is, and the CA, which it holds against the
 * hash that it was given. As kubeadm publishes it, for everybody to read. */
static void ensure_cluster_info(struct server *s, const char *pem)
{
    char host[HOST_TEXT_SIZE];
    _cleanup_free_ char *ca = base64_encode(pem, strlen(pem));
    _cleanup_free_ char *text = xasprintf("apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n"
                                          "    certificate-authority-data: %s\n"
                                          "    server: https://%s:%d\n"
                                          "  name: \"\"\ncontexts: null\ncurrent-context: \"\"\n"
                                          "preferences: {}\nusers: null\n",
                                          ca, ip_url_host(s->config.advertise_ip, host), s->config.port);
    ensure(s, &kind_configmap,
           json_pack("{s:{s:s, s:s}, s:{s:s}}", "metadata", "name", "cluster-info", "namespace", "kube-public", "data",
                     "kubeconfig", text),
           true);
}

/* Published where upstream publishes them. The one CA signs everything here, so that control/rootca.c hands it on as
 * that by which pods know the API server; servers of APIServices know us by the other. */
static int ensure_ca(struct server *s, struct err *err)
{
    if (!s->config.pki)
        return 0;
    _cleanup_free_ char *pem = file_read(s->config.pki->ca_cert, CA_MAX, NULL, err);
    _cleanup_free_ char *front_proxy = pem ? file_read(s->config.pki->front_proxy_ca, CA_MAX, NULL, err) : NULL;
    if (!front_proxy)
        return -1;
    ensure(s, &kind_configmap,
           json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "metadata", "name",
                     "extension-apiserver-authentication", "namespace", "kube-system", "data", "client-ca-file", pem,
                     "requestheader-allowed-names", "[\"front-proxy-client\"]", "requestheader-client-ca-file",
                     front_proxy, "requestheader-extra-headers-prefix", "[\"X-Remote-Extra-\"]",
                     "requestheader-group-headers", "[\"X-Remote-Group\"]", "requestheader-username-headers",
                     "[\"X-Remote-User\"]"),
           true);
    ensure_cluster_info(s, pem);
    return 0;
}

/* --- Services with addresses of their own --- */

struct boot_port {
    const char *name, *protocol;
    int port, target;
};

struct boot_service {
    const char *ns, *name;
    const char *cluster_ips; /* with a comma between the families, as the next; the primary one first */
    const char *addresses;
    json_t *labels; /* borrowed */
    const struct boot_port *ports;
    size_t n_ports;
};

static json_t *service_ports(const struct boot_service *b)
{
    json_t *ports = json_array();
    for (size_t i = 0; i < b->n_ports; i++)
        json_array_append_new(ports, json_pack("{s:s, s:s, s:i, s:i}", "name", b->ports[i].name, "protocol",
                                               b->ports[i].protocol, "port", b->ports[i].port, "targetPort",
                                               b->ports[i].target));
    return ports;
}

static json_t *endpoint_ports(const struct boot_service *b)
{
    json_t *ports = json_array();
    for (size_t i = 0; i < b->n_ports; i++)
        json_array_append_new(ports, json_pack("{s:s, s:i, s:s}", "name", b->ports[i].name, "port", b->ports[i].target,
                                               "protocol", b->ports[i].protocol));
    return ports;
}

/* Endpoints know one family; slices are of one each. Not mirrored: both are made by the same hand. */
static void ensure_endpoints(struct server *s, const struct boot_service *b)
{
    char ip[IP_TEXT_SIZE];
    const char *rest = b->addresses;
    ensure(s, &kind_endpoints,
           json_pack("{s:{s:s, s:s, s:{s:s}}, s:[{s:[{s:s}], s:o}]}", "metadata", "name", b->name, "namespace", b->ns,
                     "labels", "endpointslice.kubernetes.io/skip-mirror", "true", "subsets", "addresses", "ip",
                     ips_first(rest, ip), "ports", endpoint_ports(b)),
           true);
    for (bool is_first = true; ips_next(&rest, ip); is_first = false) {
        const char *family = strchr(ip, ':') ? "IPv6" : "IPv4";
        _cleanup_free_ char *name = is_first ? xstrdup(b->name) : xasprintf("%s-ipv%c", b->name, family[3]);
        ensure(s, &kind_endpointslice,
               json_pack("{s:{s:s, s:s, s:{s:s}}, s:s, s:[{s:[s], s:{s:b}}], s:o}", "metadata", "name", name,
                         "namespace", b->ns, "labels", "kubernetes.io/service-name", b->name, "addressType", family,
                         "endpoints", "addresses", ip, "conditions", "ready", 1, "ports", endpoint_ports(b)),
               true);
    }
}

static void ensure_service(struct server *s, const struct boot_service *b)
{
    char ip[IP_TEXT_SIZE];
    json_t *ips = json_array();
    for (const char *rest = b->cluster_ips; ips_next(&rest, ip);)
        json_array_append_new(ips, json_string(ip));
    const char *policy = json_array_size(ips) > 1 ? "PreferDualStack" : "SingleStack";
    ensure(s, &kind_service,
           json_pack("{s:{s:s, s:s, s:O}, s:{s:s, s:s, s:s, s:o, s:o}}", "metadata", "name", b->name, "namespace",
                     b->ns, "labels", b->labels, "spec", "type", "ClusterIP", "ipFamilyPolicy", policy, "clusterIP",
                     ips_first(b->cluster_ips, ip), "clusterIPs", ips, "ports", service_ports(b)),
           true);
    ensure_endpoints(s, b);
}

/* The first address of the primary Service range: where pods find the API. */
static void first_service_ip(const char *cidrs, char out[IP_TEXT_SIZE])
{
    struct cidrs ranges = {0};
    cidrs_parse(cidrs, &ranges); /* alloc_new() has checked it */
    const struct ip ip = cidr_nth(&ranges.cidr[0], 1);
    ip_format(&ip, out);
}

static void ensure_api_service(struct server *s)
{
    char ip[IP_TEXT_SIZE];
    first_service_ip(s->config.service_cidrs, ip);
    const struct boot_port ports[] = {{"https", "TCP", API_SERVICE_PORT, s->config.port}};
    _cleanup_json_ json_t *labels = json_pack("{s:s, s:s}", "component", "apiserver", "provider", "kubernetes");
    const struct boot_service service = {"default", "kubernetes",    ip, s->config.advertise_ip, labels,
                                         ports,     ARRAY_LEN(ports)};
    ensure_service(s, &service);
}

/* Every node answers these addresses itself, so they are their own endpoints. */
static void ensure_dns_service(struct server *s)
{
    static const struct boot_port ports[] = {{"dns", "UDP", DNS_PORT, DNS_PORT},
                                             {"dns-tcp", "TCP", DNS_PORT, DNS_PORT}};
    const char *ips = s->config.cluster_dns;
    _cleanup_json_ json_t *labels = json_pack("{s:s, s:s, s:s}", "k8s-app", "kube-dns", "kubernetes.io/cluster-service",
                                              "true", "kubernetes.io/name", "CoreDNS");
    const struct boot_service service = {"kube-system", "kube-dns", ips, ips, labels, ports, ARRAY_LEN(ports)};
    ensure_service(s, &service);
}

/* For its owner to change (dns/corefile.h); what it says is how DNS is without it. */
static void ensure_dns_configuration(struct server *s)
{
    _cleanup_free_ char *corefile = xasprintf(".:53 {\n"
                                              "    errors\n"
                                              "    kubernetes %s in-addr.arpa ip6.arpa {\n"
                                              "       pods insecure\n"
                                              "       fallthrough in-addr.arpa ip6.arpa\n"
                                              "       ttl 5\n"
                                              "    }\n"
                                              "    prometheus :9153\n"
                                              "    forward . /etc/resolv.conf\n"
                                              "    cache 30\n"
                                              "    loop\n"
                                              "    reload\n"
                                              "    loadbalance\n"
                                              "}\n",
                                              s->config.cluster_domain);
    ensure(s, &kind_configmap,
           json_pack("{s:{s:s, s:s}, s:{s:s}}", "metadata", "name", "coredns", "namespace", "kube-system", "data",
                     "Corefile", corefile),
           false);
}

/* --- the ranges of Services --- */

static void ensure_servicecidr(struct server *s)
{
    struct cidrs ranges;
    char text[CIDR_TEXT_SIZE];
    json_t *cidrs = json_array();
    cidrs_parse(s->config.service_cidrs, &ranges); /* alloc_new() has checked it */
    for (int i = 0; i < ranges.n; i++)
        json_array_append_new(cidrs, json_string(cidr_format(&ranges.cidr[i], text)));
    ensure(s, &kind_servicecidr,
           json_pack("{s:{s:s}, s:{s:o}}", "metadata", "name", SERVICECIDR_DEFAULT, "spec", "cidrs", cidrs), false);
}

/* --- the class of Ingresses that the cluster serves itself --- */

static void ensure_ingress_class(struct server *s)
{
    ensure(s, &kind_ingressclass,
           json_pack("{s:{s:s, s:{s:s}}, s:{s:s}}", "metadata", "name", "haproxy", "annotations",
                     "ingressclass.kubernetes.io/is-default-class", "true", "spec", "controller", INGRESS_CONTROLLER),
           false);
}

/* --- the class of volumes that the cluster makes itself --- */

static void ensure_storage_class(struct server *s)
{
    ensure(s, &kind_storageclass,
           json_pack("{s:{s:s, s:{s:s}}, s:s, s:s, s:s, s:b}", "metadata", "name", LOCAL_PATH_CLASS, "annotations",
                     DEFAULT_CLASS, "true", "provisioner", LOCAL_PATH_PROVISIONER, "reclaimPolicy", "Delete",
                     "volumeBindingMode", "WaitForFirstConsumer", "allowVolumeExpansion", 1),
           false);
}

static void ensure_priorities(struct server *s)
{
    for (const struct system_priority *p = system_priorities; p->name; p++)
        ensure(s, &kind_priorityclass,
               json_pack("{s:{s:s}, s:i, s:s}", "metadata", "name", p->name, "value", p->value, "description",
                         p->description),
               false);
}

static void ensure_api_services(struct server *s)
{
    _cleanup_json_ json_t *served = apiservices_served();
    size_t i;
    json_t *doc;
    json_array_foreach(served, i, doc)
        ensure(s, &kind_apiservice, json_incref(doc), false);
}

static void ensure_flow_control(struct server *s)
{
    const struct kind *k;
    json_t *doc;
    for (size_t i = 0; (doc = flow_default(i, &k)); i++)
        ensure(s, k, doc, false);
}

/* --- roles --- */

static void write_role(struct server *s, const struct kind *k, json_t *doc_new, bool create)
{
    const char *ns = jstr(doc_new, "metadata.namespace"), *name = create ? NULL : jstr(doc_new, "metadata.name");
    run(s, create ? "POST" : "PUT", kind_path(k, ns, name, NULL), BODY_JSON, doc_new);
}

int bootstrap(struct server *s, struct err *err)
{
    ensure_namespaces(s);
    rbac_bootstrap(s, write_role);
    ensure_servicecidr(s);
    ensure_api_service(s);
    ensure_dns_service(s);
    ensure_dns_configuration(s);
    ensure_ingress_class(s);
    ensure_storage_class(s);
    ensure_priorities(s);
    ensure_flow_control(s);
    ensure_api_services(s);
    if (ensure_ca(s, err) < 0)
        return -1;
    if (!store_latest(s->store, &kind_service, "default", "kubernetes") ||
        !store_latest(s->store, &kind_service, "kube-system", "kube-dns"))
        return err_set(err, 0, "the cluster's own Services cannot be made: see the log");
    return 0;
}
