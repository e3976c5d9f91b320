/* Approves what needs nobody's look: client certificates of nodes that join with a bootstrap token or renew their own
 * (upstream: pkg/controller/certificates/approver; whether the asker may is asked as a SubjectAccessReview), and,
 * beyond upstream, serving certificates that a node asks for itself, under its own name and addresses: else logs and
 * exec would wait for an administrator after every join. */
#include <string.h>

#include "base/str.h"
#include "cert/request.h"
#include "control/csr.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/csr.h"
#include "kinds/kind.h"
#include "kinds/node.h"

static void ask_whether_allowed(struct controller *c, const json_t *csr, const char *subresource)
{
    const json_t *spec = jget(csr, "spec");
    _cleanup_json_ json_t *review = json_pack(
        "{s:{s:s, s:O*, s:O*, s:{s:s, s:s, s:s, s:s, s:s}}}", "spec", "user", jstr_or(spec, "username", ""), "groups",
        jget(spec, "groups"), "extra", jget(spec, "extra"), "resourceAttributes", "group", "certificates.k8s.io",
        "resource", "certificatesigningrequests", "subresource", subresource, "verb", "create", "version", "*");
    controller_request(c, "POST", &kind_subjectaccessreview, NULL, NULL, NULL, review);
}

static void approve(struct controller *c, const char *name, const char *message)
{
    struct object *o = informer_get(controller_informer(c, &kind_certificatesigningrequest), "", name);
    _cleanup_json_ json_t *known = o ? object_json(o) : NULL;
    if (!known || csr_has_condition(known, "Approved") || csr_has_condition(known, "Denied"))
        return;
    _cleanup_json_ json_t *csr = json_deep_copy(known);
    if (!jget(csr, "status.conditions"))
        jset(csr, "status.conditions", json_array());
    json_array_append_new(jget(csr, "status.conditions"),
                          json_pack("{s:s, s:s, s:s, s:s}", "type", "Approved", "status", "True", "reason",
                                    "AutoApproved", "message", message));
    controller_update(c, &kind_certificatesigningrequest, "approval", csr);
}

/* --- serving certificates --- */

static bool names_only_itself(struct controller *c, const struct cert_request *r)
{
    const char *name = str_after(r->common_name, CSR_NODE_PREFIX);
    struct object *o = name ? informer_get(controller_informer(c, &kind_node), "", name) : NULL;
    _cleanup_json_ json_t *node = o ? object_json(o) : NULL;
    for (size_t i = 0; i < r->n_dns_names; i++)
        if (!streq(r->dns_names[i], name ? name : "") && !node_has_address(node, r->dns_names[i]))
            return false;
    for (size_t i = 0; i < r->n_ips; i++)
        if (!node_has_address(node, r->ips[i]))
            return false;
    return node != NULL;
}

/* --- the decision --- */

static void consider(struct controller *c, const json_t *csr, const struct cert_request *r)
{
    struct err err;
    const char *signer = jstr_or(csr, "spec.signerName", "");
    bool own = streq(jstr_or(csr, "spec.username", ""), r->common_name);
    if (csr_check(csr, r, &err) < 0)
        return;
    if (streq(signer, CSR_SIGNER_NODE_CLIENT))
        ask_whether_allowed(c, csr, own ? "selfnodeclient" : "nodeclient");
    else if (streq(signer, CSR_SIGNER_NODE_SERVING) && own && names_only_itself(c, r))
        approve(c, jstr(csr, "metadata.name"), "Auto approving kubelet serving certificate for the node's own names.");
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_certificatesigningrequest), ns, name);
    _cleanup_json_ json_t *csr = o ? object_json(o) : NULL;
    struct cert_request *r = NULL;
    if (csr && !csr_has_condition(csr, "Approved") && !csr_has_condition(csr, "Denied"))
        r = csr_request(csr);
    if (r)
        consider(c, csr, r);
    cert_request_free(r);
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    (void)ns;
    if (call->kind != &kind_subjectaccessreview || code != 201 || !jbool(body, "status.allowed", false))
        return;
    bool own = streq(jstr_or(body, "spec.resourceAttributes.subresource", ""), "selfnodeclient");
    approve(c, name,
            own ? "Auto approving self kubelet client certificate after SubjectAccessReview."
                : "Auto approving kubelet client certificate after SubjectAccessReview.");
}

/* A node may ask before its addresses are known. */
static void map_node(struct controller *c, struct object *node)
{
    struct informer *csrs = controller_informer(c, &kind_certificatesigningrequest);
    _cleanup_free_ char *user = xasprintf("\"" CSR_NODE_PREFIX "%s\"", node->name);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(csrs, NULL, &cursor));)
        if (memmem(o->bytes, o->len, user, strlen(user)))
            controller_enqueue(c, "", o->name);
}

static const struct controller_watch watches[] = {
    {&kind_certificatesigningrequest, NULL}, {&kind_node, map_node}, {NULL, NULL}};

const struct controller_def csrapproving_controller = {
    .name = "certificatesigningrequest-approving-controller",
    .watches = watches,
    .reconcile = reconcile,
    .answered = answered,
};
