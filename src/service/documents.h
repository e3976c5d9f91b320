/* What the model keeps of the two documents it is made of: one Service and one EndpointSlice. Inside the room only. */
#pragma once
#include "base/list.h"
#include "service/model.h"

/* Fills everything but the endpoints and addresses of the (zeroed) svc. */
void service_parse(struct svc *s, const char *ns, const char *name, const json_t *doc);
void service_done(struct svc *s); /* of what service_parse() made */

struct slice_port {
    const char *name;
    enum svc_protocol protocol;
    uint16_t port;
    const char *app_protocol;
};

/* Its texts live in one block of its own; resolved endpoints borrow them. */
struct slice {
    struct list link;    /* in its Service's list */
    const char *service; /* the label kubernetes.io/service-name; "": belongs to nobody */
    bool hidden_from_proxy;
    struct slice_port *ports;
    size_t n_ports;
    struct svc_endpoint *endpoints; /* port is 0: slice_port has it */
    size_t n_endpoints;
    char *texts;
    size_t texts_size;
};
struct slice *slice_parse(const json_t *doc);
void slice_free(struct slice *s);
bool slice_equal(const struct slice *a, const struct slice *b);

/* A label of the object, or NULL. */
const char *label_of(const json_t *doc, const char *key);
bool hidden_from_proxy(const json_t *doc);
