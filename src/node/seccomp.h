/* Which system calls a container may make. Pure. */
#pragma once
#include "json/json.h"

/* The OCI "seccomp" of a container's or pod's seccompProfile; NULL: it is not confined. held: the capabilities it has,
 * "CAP_…". local: what lies in the file that a profile of type Localhost names. New reference. */
json_t *seccomp_build(const json_t *profile, const json_t *held, const json_t *local);
