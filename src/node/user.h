/* Who a container runs as: names of an image's USER looked up in the image's own /etc/passwd and /etc/group. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GROUPS_MAX 64 /* supplementary groups; more are ignored */

struct user {
    int64_t uid, gid;
    int64_t groups[GROUPS_MAX]; /* supplementary, of /etc/group */
    size_t n_groups;
    char home[256]; /* "" when unknown */
};

/* spec: "", "1000", "web", "1000:1000", "web:staff". passwd and group: texts of the files, "" when there are none. */
int user_resolve(const char *spec, const char *passwd, const char *group, struct user *ret, struct err *err);
