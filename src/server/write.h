/* The steps that create, update and patch have in common. Functions that return a Status: NULL means go on. */
#pragma once
#include "server/submit.h"

/* The body is an object of this kind: apiVersion and kind fit, or are missing and filled in. */
json_t *check_body_type(const struct kind *k, json_t *doc);
/* The document of a body or a patch becomes one of r->kind: apiVersion and kind fit r->version, or are missing and
 * filled in; it is decoded and brought to the version that is kept. */
json_t *read_document(struct request *r, json_t *doc);
/* The body's name and namespace are those of the URL, or missing and filled in (no name in the URL: any name). */
json_t *check_identity(const struct request *r, json_t *doc);

enum update_part {
    UPDATE_MAIN,
    UPDATE_STATUS,
    UPDATE_FINALIZE,
    UPDATE_EPHEMERAL, /* spec.ephemeralContainers of a pod */
    UPDATE_APPROVAL,  /* status.conditions of a CertificateSigningRequest */
};
/* Everything between defaults and the write, in two halves with webhooks between them (webhooks.h): first the plug-ins
 * that change the object; then the kind's `prepare`, the numbers that the cluster gives, the rules of the kind and the
 * plug-ins that only look. The second decides on what is in the store now, and the write must follow at once. old NULL:
 * created. After a Status the change is empty again. admit.c */
json_t *admit_change(struct request *r, json_t *doc, const json_t *old, enum update_part part);
json_t *admit_decide(struct request *r, json_t *doc, const json_t *old, enum update_part part,
                     struct alloc_change *change);
/* Adds a text to an array that is made when the first one comes; the same text once, since an object may be looked at
 * several times before it is written. */
void warn_once(json_t **warnings, const char *text);
/* Marks what a deleted object held for release. admit.c */
void release_numbers(struct server *s, const struct kind *k, const json_t *doc, struct alloc_change *change);

/* Everything between a new version decoded from a body or made by a patch and the answer. doc is taken. update.c */
void request_update(struct request *r, struct object *old, json_t *doc, enum update_part part);

/* Everything between a decoded new object and the answer. doc is borrowed until then. create.c */
void request_create(struct request *r, json_t *doc);

/* Server-side apply of config, a document of the version asked for, to the object, its status or (sub "scale") what its
 * scale says; live NULL: there is none yet. config is borrowed and changed. apply.c */
void request_apply(struct request *r, struct object *live, json_t *config, enum update_part part);

/* Sets doc's metadata.managedFields to who owns what after this write; old NULL: created. manager.c */
void track_managers(struct request *r, const json_t *old, json_t *doc);

/* Submits and answers with r->code and r->reply, once durable; dryRun answers at once. doc is borrowed. */
void request_write(struct request *r, json_t *doc, bool deletes, struct alloc_change *change);

/* deletionTimestamp is set and nothing holds the object any more. */
bool deletion_is_due(const struct kind *k, const json_t *doc);

/* Applies r->body to doc by r->body_type; k NULL: a document without a table (Scale). On failure NULL and *ret_status.
 * patch.c */
json_t *patched(const struct request *r, const struct kind *k, const json_t *doc, json_t **ret_status);
