/* What a request asks for, read from its method, path and query. Pure. Rules: apiserver
 * pkg/endpoints/request/requestinfo.go. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "kinds/kind.h"

struct request_path {
    bool is_resource; /* false: only a path, like /version; nothing below is set */
    const char *group, *version, *plural, *ns, *name, *subresource; /* "" where absent */
    bool goes_on;                                                   /* behind the subresource */
    char *storage;
};

/* `path` is percent-encoded, without the query. False: a bad escape. */
bool request_path_parse(const char *path, struct request_path *ret);
void request_path_done(struct request_path *p);

/* One of enum kind_verbs; 0 for methods the API does not have. */
unsigned request_verb(const char *method, bool named, bool watch);
const char *verb_name(unsigned verb);

/* A number inside [min, max]; `otherwise` when absent. False: it is there and is none. */
bool query_int(const char *query, const char *name, int64_t min, int64_t max, int64_t otherwise, int64_t *ret);
/* The query without these parameters (NULL ends); the caller frees. */
char *query_without(const char *query, const char *const *names);
