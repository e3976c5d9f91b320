/* From an endpoint's address to the Services it stands behind, for PTR. Kept from the model's changes, and only once
 * somebody asks. */
#pragma once
#include "service/model.h"

struct reverse;
struct reverse *reverse_new(struct model *m);
void reverse_free(struct reverse *r);
/* Calls visit with each Service that has an endpoint of this address. */
void reverse_each(struct reverse *r, const struct ip *ip, void (*visit)(void *arg, const struct svc *svc), void *arg);
