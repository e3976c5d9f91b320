/* What the versions of EndpointSlice share. */
#pragma once
#include "kinds/kind.h"

extern const struct field endpoint_conditions_fields[], endpoint_port_fields[], endpoint_zone_fields[];
extern const struct column endpointslice_columns[];
